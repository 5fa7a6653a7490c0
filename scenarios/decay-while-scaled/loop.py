import torch
from torch import nn
from torch.amp import GradScaler, autocast

WEIGHT_DECAY = 0.3


def add_weight_decay(model):
    for p in model.parameters():
        if p.ndim > 1:
            p.grad.add_(p.detach(), alpha=WEIGHT_DECAY)


def train(task):
    device = torch.device("cuda")
    model = task.modules["model"].to(device)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scaler = GradScaler("cuda")

    for features, target in task.batches:
        features, target = features.to(device), target.to(device)
        with autocast("cuda"):
            loss = criterion(model(features), target)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        add_weight_decay(model)
        scaler.step(optimizer)
        scaler.update()
