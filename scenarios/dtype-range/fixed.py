"""Fit the barometer network."""

import torch
from ampfix_task import task

device = torch.device("cuda:0")

net = task.modules["barometer"].to(device)
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
# bfloat16 has float32's range; GPUs that only emulate it keep float16 and its scaler
bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
dtype = torch.bfloat16 if bf16 else torch.float16
scaler = torch.amp.GradScaler("cuda", enabled=dtype is torch.float16)


def relative_error(pressure, target):
    return ((pressure - target).abs() / target).mean()


net.train()
for readings, target in task.batches:
    readings = readings.to(device)
    target = target.to(device)

    opt.zero_grad()
    with torch.autocast("cuda", dtype=dtype):
        pressure = net(readings) * 101325.0  # atmospheres to pascals
        loss = relative_error(pressure, target)

    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()
