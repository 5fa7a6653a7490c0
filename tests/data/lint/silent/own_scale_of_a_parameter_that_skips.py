"""Scales that start from a parameter and adapt, in loops that skip the step of gradients which overflowed."""

import torch


def overflowed(net):
    return any(not torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def by_a_test(net, loader, criterion, optimizer, initial=2**6):
    scale = initial
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(net(x), y) * scale
        loss.backward()
        if overflowed(net):
            scale /= 2
        else:
            for parameter in net.parameters():
                parameter.grad.div_(scale)
            optimizer.step()


def by_continue(net, loader, criterion, optimizer, initial=2**6):
    scale = initial
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(net(x), y) * scale
        loss.backward()
        if overflowed(net):
            scale /= 2
            continue
        for parameter in net.parameters():
            parameter.grad.div_(scale)
        optimizer.step()
