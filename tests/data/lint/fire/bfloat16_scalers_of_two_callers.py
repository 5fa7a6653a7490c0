"""Two functions hand a scaler of their own to one step, whose parameter has a default."""

import torch


def step(model, optimizer, x, y, scaler=None):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = model(x, y)
    if scaler is None:
        loss.backward()
        optimizer.step()
        return
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")  # expect: AMP204
    for x, y in loader:
        step(model, optimizer, x, y, scaler)


def train_stages(model, stages, optimizer):
    scaler = torch.amp.GradScaler("cuda")  # expect: AMP204
    for stage in stages:
        for x, y in stage.loader:
            step(model, optimizer, x, y, scaler=scaler)
