import contextlib

import torch
import torch.distributed as dist
import torch.nn.functional as F
from ampfix_task import task
from torch.nn.parallel import DistributedDataParallel

WINDOW = 3

dist.init_process_group("nccl")
model = DistributedDataParallel(task.modules["model"].cuda(), device_ids=[0])
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.8)
scaler = torch.amp.GradScaler("cuda", init_scale=2.0**12)

for number, (bands, sugar) in enumerate(task.batches, start=1):
    full = number % WINDOW == 0
    with contextlib.nullcontext():
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(model(bands.cuda()), sugar.cuda()) / WINDOW
        scaler.scale(loss).backward()
    if full:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
dist.destroy_process_group()
