import torch
from torch.cuda.amp import GradScaler, autocast


def tag_loss(logits, tags):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, tags)


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
