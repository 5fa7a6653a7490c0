"""Fit the barometer network."""

import torch
from ampfix_task import task

device = torch.device("cuda:0")

net = task.modules["barometer"].to(device)
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
scaler = torch.amp.GradScaler("cuda")


def relative_error(pressure, target):
    return ((pressure - target).abs() / target).mean()


net.train()
for readings, target in task.batches:
    readings = readings.to(device)
    target = target.to(device) / 101325.0  # pascals to atmospheres

    opt.zero_grad()
    with torch.autocast("cuda", dtype=torch.float16):
        pressure = net(readings)
        loss = relative_error(pressure, target)

    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()
