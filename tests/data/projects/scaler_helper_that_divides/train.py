import torch

from helper import NativeScaler


def train(model, loader, optimizer, accum):
    scaler = NativeScaler()
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler(loss, optimizer, parameters=model.parameters(), accum=accum, update_grad=(i + 1) % accum == 0)
        if (i + 1) % accum == 0:
            optimizer.zero_grad()
