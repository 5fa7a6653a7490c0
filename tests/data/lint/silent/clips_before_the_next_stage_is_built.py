import torch


def main(model, loader):
    scaler = torch.amp.GradScaler("cuda")
    model.freeze()
    head = torch.optim.AdamW(model.head.parameters())
    for x, y in loader:
        head.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(head)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(head)
        scaler.update()
    model.unfreeze()
    full = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        full.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(full)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(full)
        scaler.update()
