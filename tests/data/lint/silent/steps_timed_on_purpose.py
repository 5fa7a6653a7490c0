import time

import torch


def measure(model, loader, optimizer, scaler):
    for x, y in loader:
        torch.cuda.synchronize()
        start = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        torch.cuda.synchronize()
        print(loss.item(), time.perf_counter() - start, x.sum().item())
