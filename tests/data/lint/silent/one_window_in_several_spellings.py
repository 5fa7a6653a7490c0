import torch


def train(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    for step, (x, y) in enumerate(loader):
        if step % every == 0:
            optimizer.zero_grad()
        scaler.scale(model(x, y) / every).backward()
        if step % every == every - 1:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if (step + 1) % every == 0:
            scaler.step(optimizer)
            scaler.update()
