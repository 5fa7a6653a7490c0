import math
import time

import torch


def train(model, loader, optimizer, writer):
    scaler = torch.amp.GradScaler("cuda")
    began = time.time()
    for step, (x, y) in enumerate(loader):
        fetched = time.time()
        x, y = x.cuda(), y.cuda()
        writer.wait(time.time() - fetched)
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(step)
        if step % 50 == 0:
            writer.log(value, scaler.get_scale(), time.time() - began)
    return time.time() - began
