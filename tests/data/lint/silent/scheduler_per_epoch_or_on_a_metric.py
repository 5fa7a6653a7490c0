import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR


def train(model, loader, optimizer, epochs, validate):
    scaler = torch.amp.GradScaler("cuda")
    plateau = ReduceLROnPlateau(optimizer)
    per_epoch = StepLR(optimizer, 10)
    for epoch in range(epochs):
        for x, y in loader:
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        per_epoch.step()
        plateau.step(validate(model))


def train_by_index(model, loader, optimizer, scheduler, epoch, scaler):
    for index, (x, y) in enumerate(loader):
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step(epoch + index / len(loader))
        optimizer.zero_grad()
