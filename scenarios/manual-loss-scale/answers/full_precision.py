import torch
from torch.cuda.amp import GradScaler, autocast


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = GradScaler()
    criterion = torch.nn.MSELoss()

    for spectrum, brightness in task.batches:
        with autocast(enabled=False):
            loss = criterion(model(spectrum.cuda()), brightness.cuda())
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
