import torch
import torch.nn.functional as F


def network_to_half(model):
    for p in model.parameters():
        p.data = p.data.half()  # expect: AMP301


def train(loader, net):
    network_to_half(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()
