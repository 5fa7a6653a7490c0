import torch

from amp import amp_components


def train_one_epoch(model, loader, optimizer, config):
    context, scaler = amp_components(config)
    for x, y in loader:
        optimizer.zero_grad()
        with context:
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


@torch.no_grad()
def validate(model, loader, config):
    context, _ = amp_components(config)
    for x, y in loader:
        with context:
            print(model(x, y))
