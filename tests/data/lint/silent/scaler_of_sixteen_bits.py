import torch


def train(model, loader, optimizer, criterion, bits):
    dtype = torch.bfloat16 if bits == "brain" else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=bits == 16)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def train_by_text(model, loader, optimizer, criterion, mode):
    dtype = torch.bfloat16 if mode == "brain" else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=mode in ("16", "mixed16"))
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
