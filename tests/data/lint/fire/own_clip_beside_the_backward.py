import torch


def train(model, loader, optimizer, limit):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        total = 0.0
        for p in model.parameters():
            total += p.grad.norm().item() ** 2
        factor = limit / (total**0.5 + 1e-6)
        if factor < 1:
            for p in model.parameters():
                p.grad.mul_(min(factor, 1.0))  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()
