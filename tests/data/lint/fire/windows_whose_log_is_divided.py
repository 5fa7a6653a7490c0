"""Windows whose numbers for the log are divided by the count, and whose losses are not."""

import torch
import torch.nn.functional as F


def item(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    running = 0.0
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP115
        running += loss.item() / accum
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            print(running)
            running = 0.0


def summed(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    total = seen = 0.0
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP115
        total += loss.detach()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            mean = total / accum
            seen += float(mean)
            total = 0.0
    return seen
