import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


def train(task):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = task.modules["model"].to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scaler = GradScaler(device.type)

    model.train()
    for window, target in task.batches:
        window, target = window.to(device), target.to(device)

        optimizer.zero_grad()

        with autocast(device.type, dtype=torch.float16):
            prediction = model(window)
            loss = F.mse_loss(prediction, target)

        scaler.scale(loss).backward()

        # meter glitches produce huge gradients now and then
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.2)

        scaler.step(optimizer)
        scaler.update()
