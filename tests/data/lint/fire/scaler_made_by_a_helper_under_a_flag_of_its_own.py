"""The region is on where a scaler is, which is always; the flag that the helper gets switches the scaler alone."""

import torch


def create_scaler(enabled):
    return torch.amp.GradScaler("cuda", enabled=enabled)  # expect: AMP208


def train_one_epoch(model, loader, criterion, optimizer, scaler):
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


def main(config, model, loader):
    amp = bool(config.get("amp", True))
    scaler = create_scaler(amp)
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(10):
        train_one_epoch(model, loader, torch.nn.CrossEntropyLoss(), optimizer, scaler)
