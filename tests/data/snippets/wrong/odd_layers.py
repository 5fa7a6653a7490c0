import torch
from torch import nn

net = nn.Sequential(
    nn.Linear(127, 253),
    nn.ReLU(),
    nn.Linear(253, 10),
)
with torch.autocast("cuda"):
    out = net(x)
