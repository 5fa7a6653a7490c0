import time

import torch
from torch.amp import GradScaler, autocast


def compare(net, images, labels, objective, turns=100):
    for _ in range(10):
        objective(net(images), labels).backward()
    torch.cuda.synchronize()
    start = time.time()
    for _ in range(turns):
        loss = objective(net(images), labels)
        loss.backward()
    torch.cuda.synchronize()
    full = time.time() - start
    scaler = GradScaler("cuda")
    torch.cuda.synchronize()
    start = time.time()
    for _ in range(turns):
        with autocast("cuda"):
            loss = objective(net(images), labels)
        scaler.scale(loss).backward()
    torch.cuda.synchronize()
    mixed = time.time() - start
    print(f"{full / mixed:.2f}x")
    return full / mixed > 1.1
