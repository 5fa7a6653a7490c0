import torch
from torch.amp import GradScaler, autocast


def train(net, optim, objective, train_set, epochs):
    scaler = GradScaler("cuda")
    schedule = torch.optim.lr_scheduler.StepLR(optim, step_size=10)
    for _ in range(epochs):
        for images, labels in train_set:
            optim.zero_grad()
            with autocast("cuda"):
                loss = objective(net(images), labels)
            scaler.scale(loss).backward()
            scaler.step(optim)
            scaler.update()
        schedule.step()
