import torch
from torch.amp import GradScaler, autocast


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = torch.nn.MSELoss()
    scaler = GradScaler("cuda")

    for counts, target in task.batches:
        counts, target = counts.cuda(), target.cuda()
        optimizer.zero_grad()
        with autocast("cuda"):
            loss = criterion(model(counts.half()), target)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
