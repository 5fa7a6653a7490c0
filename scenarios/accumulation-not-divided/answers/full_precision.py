import torch
import torch.nn as nn
from torch.cuda.amp import GradScaler, autocast

accumulation_steps = 8


def train(task):
    model = task.modules["model"].cuda()
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.08, momentum=0.9)
    scaler = GradScaler()

    optimizer.zero_grad()
    for i, (strain, load) in enumerate(task.batches):
        with autocast(enabled=False):
            loss = criterion(model(strain.cuda()), load.cuda())
            loss = loss / accumulation_steps
        scaler.scale(loss).backward()
        if (i + 1) % accumulation_steps == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
