"""On the device with the flag off, the region is float16 and nothing is scaled."""

import torch


def train_one_epoch(model, loader, optimizer, scaler, device):
    use_amp = device == "cuda"
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(device, enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def run(cfg, model, loader, optimizer, device):
    scaler = torch.amp.GradScaler(device, enabled=cfg.amp)  # expect: AMP208
    for epoch in range(cfg.epochs):
        train_one_epoch(model, loader, optimizer, scaler, device)


def spelled_out(cfg, model, loader, optimizer, device):
    scaler = torch.amp.GradScaler(device, enabled=cfg.amp and device == "cuda")  # expect: AMP208
    for epoch in range(cfg.epochs):
        train_one_epoch(model, loader, optimizer, scaler, device)


def apart(model, loader, optimizer, scaler, mixed):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=mixed):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def two_flags(cfg, model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda", enabled=cfg.scaled)  # expect: AMP208
    apart(model, loader, optimizer, scaler, cfg.mixed)
