import torch
from torch.cuda.amp import GradScaler, autocast

TEMPERATURE = 0.002


def matching_loss(similarity, candidate):
    weights = torch.exp(similarity.float() / TEMPERATURE)
    chosen = weights.gather(1, candidate.unsqueeze(1)).squeeze(1)
    return -torch.log(chosen / weights.sum(dim=1)).mean()


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = GradScaler()

    for item, candidate in task.batches:
        optimizer.zero_grad()
        with autocast():
            loss = matching_loss(model(item.cuda()), candidate.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
