import torch
from torch.cuda.amp import GradScaler, autocast

TEMPERATURE = 0.002


def matching_loss(similarity, candidate):
    return torch.nn.functional.cross_entropy(similarity / TEMPERATURE, candidate)


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = GradScaler()

    for item, candidate in task.batches:
        optimizer.zero_grad()
        with autocast(enabled=False):
            loss = matching_loss(model(item.cuda()), candidate.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
