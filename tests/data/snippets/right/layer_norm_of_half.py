import torch
from torch import nn

x = torch.randn(32, 512, device="cuda")
norm = nn.LayerNorm(512).cuda()
with torch.autocast("cuda"):
    normalised = norm(x)
