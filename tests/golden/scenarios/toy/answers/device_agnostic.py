import torch
import torch.nn.functional as F


def train(task):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = task.modules["model"].to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler(device)
    for features, targets in task.batches:
        features, targets = features.to(device), targets.to(device)
        optimizer.zero_grad()
        with torch.autocast(device, dtype=torch.float16):
            loss = F.mse_loss(model(features), targets)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
