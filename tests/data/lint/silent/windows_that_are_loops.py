"""Windows that are a loop of their own, divided, weighted by tokens, stepped inside, or over time."""

import torch
import torch.nn.functional as F


def divided(model, get_batch, optimizer, steps, accumulation):
    scaler = torch.amp.GradScaler("cuda")
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        for _ in range(accumulation):
            x, y = get_batch()
            with torch.autocast("cuda", dtype=torch.float16):
                loss = F.cross_entropy(model(x), y) / accumulation
            scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def by_tokens(model, get_batch, optimizer, steps, accumulation):
    scaler = torch.amp.GradScaler("cuda")
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        batches = [get_batch() for _ in range(accumulation)]
        tokens = sum(y.numel() for _, y in batches)
        for micro in range(accumulation):
            x, y = batches[micro]
            with torch.autocast("cuda", dtype=torch.float16):
                loss = F.cross_entropy(model(x), y, reduction="sum") / tokens
            scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def over_time(cell, x, y, h, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    optimizer.zero_grad(set_to_none=True)
    for t in range(len(x)):
        with torch.autocast("cuda", dtype=torch.float16):
            h, out = cell(x[t], h.detach())
            loss = F.cross_entropy(out, y[t])
        scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def stepped_inside(model, get_batch, optimizer, steps, accumulation):
    scaler = torch.amp.GradScaler("cuda")
    for step in range(steps):
        for micro in range(accumulation):
            x, y = get_batch()
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
