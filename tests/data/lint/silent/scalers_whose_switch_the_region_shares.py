"""A helper that makes no scaler without the flag, a region that asks the scaler, and switches of two functions."""

import torch


def none_create_scaler(enabled):
    if not enabled:
        return None
    return torch.amp.GradScaler("cuda", enabled=enabled)


def none_train_one_epoch(model, loader, criterion, optimizer, scaler):
    use_amp = scaler is not None
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", enabled=use_amp):
            loss = criterion(model(x.cuda()), y.cuda())
        if use_amp:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()


def none_main(config, model, loader):
    amp = bool(config.get("amp", True))
    scaler = none_create_scaler(amp)
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(10):
        none_train_one_epoch(model, loader, torch.nn.CrossEntropyLoss(), optimizer, scaler)




def create_scaler(enabled):
    return torch.amp.GradScaler("cuda", enabled=enabled)


def train_one_epoch(model, loader, criterion, optimizer, scaler):
    use_amp = scaler.is_enabled()
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", enabled=use_amp):
            loss = criterion(model(x.cuda()), y.cuda())
        if use_amp:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()


def main(config, model, loader):
    amp = bool(config.get("amp", True))
    scaler = create_scaler(amp)
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(10):
        train_one_epoch(model, loader, torch.nn.CrossEntropyLoss(), optimizer, scaler)




def supervised(args, model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda", enabled=not args.no_amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=not args.no_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def pretrain(args, model, loader, optimizer):
    half = args.pretrain_precision == "fp16"
    scaler = torch.amp.GradScaler("cuda", enabled=half)
    for x in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16, enabled=half):
            loss = model(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
