import torch


def run_epoch(model, loader, optimizer, *, scaler=None, use_amp=False):
    model.train(optimizer is not None)
    for x, y in loader:
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        if optimizer is not None:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
