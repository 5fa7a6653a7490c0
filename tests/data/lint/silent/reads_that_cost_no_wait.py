"""A number made on the CPU, one that a guard waited for, and one that a helper judges before the step."""

import torch


def train(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x.cuda(), y.cuda())
        if torch.isnan(loss):
            continue
        bits = loss.item() / torch.log(torch.tensor(2.0)).item()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        print(bits)


def guarded(model, loader, optimizer, scaler, health):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x.cuda(), y.cuda())
        value = loss.detach().item()
        healthy, _ = health.check(value)
        if not healthy:
            continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        value = loss.detach().item()


def counted(model, loader, optimizer, scaler):
    seen = 0
    for x, y in loader:
        seen += (y > 0).sum().item() + y.sum().item()
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x.cuda(), y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return seen
