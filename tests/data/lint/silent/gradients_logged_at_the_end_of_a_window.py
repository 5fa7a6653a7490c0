import torch


def norms(model):
    return sum(p.grad.norm() for p in model.parameters())


def log(model, grads=False):
    if grads:
        print(norms(model))


def train_flagged(model, loader, optimizer, n, wanted):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        if i % n == 0:
            optimizer.zero_grad()
        boundary = (i + 1) % n == 0
        with torch.autocast("cuda", torch.float16):
            loss = model(x, y) / n
        scaler.scale(loss).backward()
        if boundary:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        grads = bool(boundary and wanted)
        log(model, grads=grads)


def train_handed(model, loader, optimizer, n, wanted):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        if i % n == 0:
            optimizer.zero_grad()
        boundary = (i + 1) % n == 0
        with torch.autocast("cuda", torch.float16):
            loss = model(x, y) / n
        scaler.scale(loss).backward()
        if boundary:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        log(model, boundary and wanted)


def train_here(model, loader, optimizer, n, wanted):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        if i % n == 0:
            optimizer.zero_grad()
        boundary = (i + 1) % n == 0
        with torch.autocast("cuda", torch.float16):
            loss = model(x, y) / n
        scaler.scale(loss).backward()
        if boundary:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        grads = bool(boundary)
        if grads and wanted:
            print(norms(model))
