import torch
import torch.nn.functional as F

with torch.autocast("cuda"):
    y = torch.matmul(a, b)
    y = F.conv2d(y, kernel)
    y = F.linear(y, weight)
    y = torch.sum(y)
    y = torch.softmax(y, dim=-1)
    y = F.layer_norm(y, (8,))
    y = torch.mean(y)
