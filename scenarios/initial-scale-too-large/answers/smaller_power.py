import torch
import torch.nn.functional as F


def make_scaler(device):
    return torch.amp.GradScaler(device, init_scale=2.0**42)


def train(task):
    model = task.modules["model"].to("cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = make_scaler("cuda")

    for light, direction in task.batches:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(model(light.to("cuda")), direction.to("cuda"))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
