import torch
from torch.cuda.amp import GradScaler, autocast

EPS = 1e-8


def tag_loss(logits, tags):
    logits = logits.float()
    present = torch.sigmoid(logits)
    absent = torch.sigmoid(-logits)
    return -(tags * torch.log(present + EPS) + (1 - tags) * torch.log(absent + EPS)).mean()


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = GradScaler()

    for features, tags in task.batches:
        optimizer.zero_grad()
        with autocast():
            loss = tag_loss(model(features.cuda()), tags.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
