import torch
from torch.amp import GradScaler, autocast


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = GradScaler("cuda")
    criterion = torch.nn.MSELoss()

    for spectrum, brightness in task.batches:
        with autocast("cuda", dtype=torch.float16):
            loss = criterion(model(spectrum.cuda()), brightness.cuda())
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
