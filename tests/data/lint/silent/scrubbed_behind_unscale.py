import torch


def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nan_to_num(model(x, y))
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        for p in model.parameters():
            torch.nan_to_num_(p.grad)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
