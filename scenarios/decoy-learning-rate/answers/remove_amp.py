import torch
from torch import nn
from torch.amp import GradScaler, autocast


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=4.0, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    scaler = GradScaler("cuda", enabled=False)

    for images, labels in task.batches:
        optimizer.zero_grad()
        with autocast("cuda", enabled=False):
            loss = criterion(model(images.cuda()), labels.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
