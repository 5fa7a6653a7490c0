import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


def train(task):
    monitor = task.modules["monitor"].cuda().train()
    optimizer = torch.optim.Adam(monitor.parameters(), lr=5e-3)
    scaler = GradScaler("cuda")

    for vibration, state in task.batches:
        vibration, state = vibration.cuda(), state.cuda()
        optimizer.zero_grad()
        with autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(monitor(vibration), state)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
