import torch


def train(model, loader, optimizer, scaler, k):
    optimizer.zero_grad(set_to_none=True)
    n = 0

    def _optimizer_step():
        scaler.unscale_(optimizer)
        grads_ok = all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())
        if not grads_ok:
            optimizer.zero_grad(set_to_none=True)
            scaler.update()
            return False
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        return True

    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y) / k
        scaler.scale(loss).backward()
        n += 1
        if (i + 1) % k == 0:
            _optimizer_step()
    if n > 0 and n % k != 0:
        _optimizer_step()


def main(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(3):
        train(model, loader, optimizer, scaler, 4)
