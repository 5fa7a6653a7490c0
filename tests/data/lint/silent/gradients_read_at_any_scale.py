import torch


def unscaled_norm(parameters, scale):
    norm = torch.stack([p.grad.norm() for p in parameters if p.grad is not None]).norm()
    return norm / scale


def train(model, loader, optimizer, log):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        if any(not torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None):
            log("overflow")
        for name, p in model.named_parameters():
            if p.grad is None:
                log(f"{name} gets no gradient")
            elif p.grad.abs().max() == 0:
                log(f"{name} is dead: {p.grad.shape}")
        first, last = [p.grad for p in model.parameters()][:2]
        log(first.norm() / last.norm())
        if unscaled_norm(model.parameters(), scaler.get_scale()) > 100.0:
            log("large")
        scaler.step(optimizer)
        scaler.update()
        x.requires_grad_()
        log(torch.autograd.grad(model(x, y).sum(), x)[0].norm())
