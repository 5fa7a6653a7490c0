"""The scaler is there for one precision, or comes out of the helper that chooses the dtype for it."""

import torch


def by_name(model, loader, optimizer, args):
    dtype = torch.bfloat16 if args.mixed_precision == "bf16" else torch.float16
    scaler = torch.amp.GradScaler("cuda") if args.mixed_precision == "fp16" else None
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x, y)
        if scaler is not None:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()


def make_scaler(half):
    return torch.amp.GradScaler("cuda", enabled=half is torch.float16)


def by_helper(model, loader, optimizer, args):
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[args.precision]
    scaler = make_scaler(half)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=half):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
