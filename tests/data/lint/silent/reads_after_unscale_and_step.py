import torch


def train(model, loader, optimizer, log):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        assert all(p.grad is not None for p in model.parameters())
        scaler.unscale_(optimizer)
        total = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        log(total, [p.grad.norm() for p in model.parameters()])
        scaler.update()
        optimizer.zero_grad()
