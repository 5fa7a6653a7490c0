import torch

from layers import Gate
from losses import smooth, tag_loss


def train(loader, optimizer, scaler):
    gate = Gate(8).cuda()
    for x, mask, tags in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            out = gate(x, mask)  # expect: AMP405
            loss = tag_loss(out, tags) + smooth(out)  # expect: AMP403
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def evaluate(gate, loader):
    return [tag_loss(gate(x, mask), tags) for x, mask, tags in loader]
