import torch
import torch.nn.functional as F
from torch.cuda.amp import GradScaler, autocast


def standardise(features):
    centred = features - features.mean(dim=1, keepdim=True)
    return centred / (features.abs().mean(dim=1, keepdim=True) + 2e-8)


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = GradScaler()

    for signal, group in task.batches:
        optimizer.zero_grad()
        with autocast(dtype=torch.float16):
            features = model.encode(signal.cuda())
            loss = F.cross_entropy(model.head(standardise(features)), group.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
