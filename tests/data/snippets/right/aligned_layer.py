import torch
from torch import nn

net = nn.Linear(128, 256)
with torch.autocast("cuda"):
    out = net(x)
