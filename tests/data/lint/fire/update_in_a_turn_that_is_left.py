import torch


def train(model, loader, optimizer, scaler, accum):
    def step():
        scaler.unscale_(optimizer)
        if not all(torch.isfinite(p.grad).all() for p in model.parameters()):
            optimizer.zero_grad()
            scaler.update()
            return
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    done = 0
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        if not torch.isfinite(loss):
            optimizer.zero_grad()
            scaler.update()  # expect: AMP111
            continue
        scaler.scale(loss / accum).backward()
        done += 1
        if (i + 1) % accum == 0:
            step()
    if done % accum:
        step()  # only with gradients: nothing is wrong here


def flushed_without_unscale(model, loader, optimizer, scaler, accum):
    done = 0
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        if not torch.isfinite(loss):
            optimizer.zero_grad()
            scaler.update()  # expect: AMP111
            continue
        scaler.scale(loss / accum).backward()
        done += 1
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    if done % accum:
        scaler.step(optimizer)
        scaler.update()


def unscaled_behind_an_early_update(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.update()  # expect: AMP112
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
