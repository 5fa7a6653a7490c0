import torch


def gradient_clip(parameters, max_norm):
    grads = [p.grad for p in parameters if p.grad is not None and p.requires_grad]
    total_norm = torch.linalg.norm(torch.stack([torch.linalg.norm(g) for g in grads]))
    if total_norm > max_norm:
        clip_coef = max_norm / (total_norm + 1e-6)
        for g in grads:
            g.mul_(clip_coef)  # expect: AMP101


def run(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x)
        scaler.scale(loss).backward()
        gradient_clip(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
