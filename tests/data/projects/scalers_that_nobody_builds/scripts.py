import torch


def force_cpu():
    return torch.device("cpu"), False


def find_device():
    if torch.cuda.is_available():
        return torch.device("cuda"), True
    return torch.device("cpu"), False


CPU, ON_GPU = force_cpu()
DEVICE, HAS_GPU = find_device()
HALF_ON_CPU = ON_GPU


def run(model, batches, optimizer, scaler):
    for x, y in batches:
        optimizer.zero_grad()
        if scaler is not None:
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            model(x, y).backward()
            optimizer.step()


def on_the_cpu(model, batches, optimizer):
    scaler = torch.amp.GradScaler("cuda") if HALF_ON_CPU else None
    run(model, batches, optimizer, scaler)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "cpu.pt")
