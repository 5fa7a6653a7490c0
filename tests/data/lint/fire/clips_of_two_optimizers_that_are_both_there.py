import torch


def train(model, loader):
    scaler = torch.amp.GradScaler("cuda")
    head = torch.optim.AdamW(model.head.parameters())
    full = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        head.zero_grad()
        full.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(head)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        scaler.step(head)
        scaler.step(full)
        scaler.update()
