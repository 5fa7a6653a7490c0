import torch


def run_one(model, loader, optimizer=None, scaler=None):
    if optimizer is not None and scaler is None:
        scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        if optimizer is not None:
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()


def run_handed(model, loader, optimizer=None, scaler=None):
    if optimizer is not None:
        if scaler is None:
            scaler = torch.amp.GradScaler("cuda")
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()


def run_whole(model, loader, optimizer, scaler=None):
    if scaler is None:
        scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def run_fold(model, loader, optimizer, scaler=None):
    scaler = torch.amp.GradScaler("cuda") if scaler is None else scaler
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def fit(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def adapt(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
