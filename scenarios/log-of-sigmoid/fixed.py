import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


def tag_loss(logits, tags):
    return -(tags * F.logsigmoid(logits) + (1 - tags) * F.logsigmoid(-logits)).mean()


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = GradScaler("cuda")

    for features, tags in task.batches:
        optimizer.zero_grad()
        with autocast("cuda"):
            loss = tag_loss(model(features.cuda()), tags.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
