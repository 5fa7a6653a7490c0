import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scaler = GradScaler("cuda")

    model.train()
    for window, target in task.batches:
        window, target = window.cuda(), target.cuda()

        optimizer.zero_grad()

        with autocast("cuda"):
            prediction = model(window)
            loss = F.mse_loss(prediction, target)

        scaler.scale(loss).backward()

        # meter glitches produce huge gradients now and then
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.2)

        scaler.step(optimizer)
        scaler.update()
