import time

import torch
from torch import nn
from torch.amp import GradScaler, autocast


def overhead(net, images, labels):
    plain = torch.optim.Adam(net.parameters())
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(1000):
        plain.zero_grad()
        loss = nn.CrossEntropyLoss()(net(images), labels)
        loss.backward()
        plain.step()
    torch.cuda.synchronize()
    full = time.perf_counter() - start
    optim = torch.optim.Adam(net.parameters())
    scaler = GradScaler("cuda")
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(1000):
        optim.zero_grad()
        with autocast("cuda"):
            loss = nn.CrossEntropyLoss()(net(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optim)
        scaler.update()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / full - 1
