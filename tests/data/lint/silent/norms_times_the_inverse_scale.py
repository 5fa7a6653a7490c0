import torch


def train(model, loader, optimizer, log):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        inverse = 1.0 / scaler.get_scale()
        log(torch.stack([p.grad.norm() * inverse for p in model.parameters() if p.grad is not None]).norm())
        for name, p in model.named_parameters():
            log(name, (p.grad * inverse).norm().item())
        scaler.step(optimizer)
        scaler.update()
