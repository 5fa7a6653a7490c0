import torch


def train_one_epoch(model, loader, optimizer, criterion, scaler, use_amp=True):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp, dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP204
        scaler.step(optimizer)
        scaler.update()


def train_in_float16(model, loader, optimizer, criterion, scaler, use_amp=True):
    """Its caller looks at the dtype."""
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp, dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def train_by_anyone(model, loader, optimizer, criterion, scaler, use_amp=True):
    """One of its callers hands in what is not seen."""
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp, dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
