"""What looks like bugs of a choice of dtype, of an evaluation and of a schedule, and is none."""

import torch


def without_scaler(model, loader, optimizer, precision):
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype, enabled=precision == "bf16"):
            loss = model(x, y)
        loss.backward()
        optimizer.step()


def by_the_epoch(model, loader, optimizer, scheduler, every):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if i % every == 0:
            scheduler.step()


def told_apart(model, loader, optimizer, cfg):
    dtype = torch.bfloat16 if cfg.dtype == "bf16" else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=cfg.dtype in ("fp16", "float16"))
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def other_optimizer(generator, path):
    torch.save({"model": generator.state_dict(), "optimizer": keep.state_dict()}, path)


keep = torch.optim.SGD([torch.zeros(1)], 0.1)
