import torch


def check_for_nan_inf(tensor, name="tensor"):
    if torch.isnan(tensor).any():
        return f"{name} contains NaN"
    if torch.isinf(tensor).any():
        return f"{name} contains Inf"
    return None


def train_epoch(model, loader, criterion, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        for name, param in model.named_parameters():
            if param.grad is not None:
                error = check_for_nan_inf(param.grad, f"Gradient of {name}")
                if error:
                    print(f"ERROR: {error}")
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def train(model, loader, criterion, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(10):
        train_epoch(model, loader, criterion, optimizer, scaler)
