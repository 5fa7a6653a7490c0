"""Windows never divided: loops of their own, and one beside a function that divides its own."""

import torch
import torch.nn.functional as F


def inner(model, get_batch, optimizer, steps, accumulation):
    scaler = torch.amp.GradScaler("cuda")
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        for _ in range(accumulation):
            x, y = get_batch()
            with torch.autocast("cuda", dtype=torch.float16):
                loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()  # expect: AMP115
        scaler.step(optimizer)
        scaler.update()


def train(model, get_batch, optimizer, steps, gradient_accumulation_steps):
    scaler = torch.amp.GradScaler("cuda")
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        for micro_step in range(gradient_accumulation_steps):
            x, y = get_batch()
            with torch.autocast("cuda", dtype=torch.float16):
                logits, loss = model(x, y)
            scaler.scale(loss).backward()  # expect: AMP115
        scaler.step(optimizer)
        scaler.update()


def one(model, loader, optimizer, window):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y) / window
        scaler.scale(loss).backward()
        if (i + 1) % window == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def two(model, loader, optimizer, window):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP115
        if (i + 1) % window == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def sized(model, loader, optimizer, batch_size, micro):
    scaler = torch.amp.GradScaler("cuda")
    effective_batch = batch_size * micro
    print(f"{effective_batch} samples a step, {micro * batch_size}")
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP115
        if (i + 1) % micro == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
