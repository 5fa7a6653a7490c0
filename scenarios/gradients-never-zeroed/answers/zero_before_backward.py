import torch
from torch import nn
from torch.amp import GradScaler, autocast


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005)
    scaler = GradScaler("cuda")
    criterion = nn.MSELoss()

    for readings, weight in task.batches:
        with autocast("cuda", dtype=torch.float16):
            loss = criterion(model(readings.cuda()), weight.cuda())
        model.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        scaler.step(optimizer)
        scaler.update()
