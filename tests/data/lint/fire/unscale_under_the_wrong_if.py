import torch


def train(model, loader, optimizer, accum, log_every):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if i % log_every == 0:
            scaler.unscale_(optimizer)  # expect: AMP105
        if (i + 1) % accum == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
