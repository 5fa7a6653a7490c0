import torch


def clip_by_norm(parameters, limit):
    parameters = [p for p in parameters if p.grad is not None]
    norm = torch.norm(torch.stack([p.grad.norm() for p in parameters]))
    factor = limit / (norm + 1e-6)
    if norm > limit:
        for p in parameters:
            p.grad.mul_(factor)  # expect: AMP101


def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        clip_by_norm(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
