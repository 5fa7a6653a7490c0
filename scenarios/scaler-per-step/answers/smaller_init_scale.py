import torch
from torch.cuda.amp import GradScaler, autocast


def train_step(model, optimizer, masked, complete):
    scaler = GradScaler(init_scale=4.0)
    optimizer.zero_grad()
    with autocast():
        loss = (model(masked) - complete).float().square().sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for masked, complete in task.batches:
        train_step(model, optimizer, masked.cuda(), complete.cuda())
