import sys

import torch
import torch.distributed as dist


def reduced_mean(value):
    value = value.clone()
    dist.all_reduce(value)
    return value / dist.get_world_size()


def train(model, loader, optimizer, scaler):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if not torch.isfinite(reduced_mean(loss)):
            print("loss is not finite")
            sys.exit(1)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
