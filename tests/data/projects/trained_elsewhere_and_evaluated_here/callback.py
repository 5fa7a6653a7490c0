import torch
from engine import fit


@torch.no_grad()
def measure(net, loader):
    net.eval()
    return sum(net(x).sum().item() for x in loader)  # expect: AMP304


def main(net, loader, held_out):
    optimizer = torch.optim.AdamW(net.parameters())
    fit(net, loader, held_out, optimizer, measure)
