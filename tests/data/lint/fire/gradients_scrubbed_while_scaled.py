import torch


def train(model, loader, optimizer, clip):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad.data[p.grad.data != p.grad.data] = 0.0  # expect: AMP117
                p.grad.masked_fill_(torch.isinf(p.grad), 0.0)  # expect: AMP117
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
