import torch
from torch.amp import GradScaler


def gradients_are_finite(model):
    return all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def train(task):
    model = task.modules["model"].to(device="cuda")
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scaler = GradScaler(init_scale=4096.0)

    for parameters, line in task.batches:
        parameters, line = parameters.to(device="cuda"), line.to(device="cuda")
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = torch.nn.functional.mse_loss(model(parameters), line, reduction="sum")
        scaler.scale(loss).backward()
        if not gradients_are_finite(model):
            print("dropping a batch")
            continue
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1000.0)
        scaler.step(optimizer)
        scaler.update()
