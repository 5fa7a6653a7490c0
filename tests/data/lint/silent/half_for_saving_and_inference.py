import copy

import torch


def export(model, optimizer, path):
    small = copy.deepcopy(model).half()
    torch.save(small.state_dict(), path)
    torch.save({name: value.half() for name, value in model.state_dict().items()}, path)
    model.half().float()  # rounds the weights once, to see what deployment will see


@torch.inference_mode()
def predict(model, loader, half):
    model = model.half() if half else model.float()
    for x in loader:
        x = x.half() if half else x.float()
        yield model(x).float()


def train(model, teacher, loader, optimizer):
    teacher.half().eval().requires_grad_(False)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.no_grad():
            target = teacher(x.half()).float()
        with torch.autocast("cuda"):
            loss = (model(x, y) - target).float().pow(2).mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
