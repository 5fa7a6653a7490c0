import torch


def listed(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        print(len(grads))
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP123
        scaler.step(optimizer)
        scaler.update()


def frozen_in_part(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP123
        for name, p in model.named_parameters():
            if name.startswith("embed"):
                p.grad.detach_().zero_()
        scaler.step(optimizer)
        scaler.update()
