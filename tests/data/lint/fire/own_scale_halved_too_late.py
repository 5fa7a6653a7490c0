"""The scale adapts, but the step has already applied the gradients that overflowed when they are looked at."""

import torch


def train(net, loader, criterion, optimizer, initial=2**6):
    scaler = initial
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            scaled = criterion(net(x), y) * scaler
        scaled.backward()  # expect: AMP205
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter.grad.data = parameter.grad.data / scaler
        optimizer.step()
        if any(not torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None):
            scaler /= 2
            continue
