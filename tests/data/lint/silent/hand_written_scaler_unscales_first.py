import torch


def train(model, loader, optimizer, scale=1024.0):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        (loss * scale).backward()
        for p in model.parameters():
            p.grad.div_(scale)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
