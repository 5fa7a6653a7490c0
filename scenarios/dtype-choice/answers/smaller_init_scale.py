import torch
from torch.amp import GradScaler, autocast

POSITIVE_WEIGHT = 2.0


def weighted_bce(logits, targets):
    """Binary cross-entropy in which a missed tag costs more than a wrong one."""
    p = torch.sigmoid(logits)
    loss = POSITIVE_WEIGHT * targets * torch.log(p) + (1 - targets) * torch.log(1 - p)
    return -loss.mean()


def train(task):
    device = torch.device("cuda")
    model = task.modules["model"].to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = GradScaler(device.type, init_scale=1024.0)

    model.train()
    for scans, tags in task.batches:
        scans, tags = scans.to(device), tags.to(device)
        optimizer.zero_grad(set_to_none=True)
        with autocast(device.type):
            loss = weighted_bce(model(scans), tags)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
