import torch
from amp import amp_components
from metrics import *


def train(models, loader, held_out, optimizer, config):
    context, scaler = amp_components(config)
    for x, y in loader:
        optimizer.zero_grad()
        with context:
            loss = models["head"](models["body"](x)) - y
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    with torch.no_grad():
        by_name(models, held_out)  # expect: AMP304
