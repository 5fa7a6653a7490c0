import torch


def describe(tensor, name="tensor"):
    return f"{name}: {tensor.abs().max()}"


def judge(tensor):
    if tensor.norm() > 100.0:
        return "large"
    return "fine"


def train_epoch(model, loader, criterion, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        for name, param in model.named_parameters():
            if param.grad is not None:
                text = describe(param.grad, name)  # expect: AMP102
                print(text)
                print(judge(param.grad))  # expect: AMP102
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def train(model, loader, criterion, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(10):
        train_epoch(model, loader, criterion, optimizer, scaler)
