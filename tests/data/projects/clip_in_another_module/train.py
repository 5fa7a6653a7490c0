import torch

from clipping import clip


def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        optimizer.zero_grad()
        scaler.scale(model(x)).backward()
        clip(model.parameters(), 1.0)  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()
