"""`mixed_precision` holds in both halves: it tells nobody that the region runs in bfloat16."""

import contextlib

import torch


def train_epoch(model, loader, optimizer, scaler, args, device):
    use_amp = args.mixed_precision and device.type == "cuda"
    amp_dtype = torch.float16
    if use_amp and torch.cuda.is_bf16_supported(including_emulation=False):
        amp_dtype = torch.bfloat16
    for x, y in loader:
        context = torch.autocast(device.type, dtype=amp_dtype) if use_amp else contextlib.nullcontext()
        optimizer.zero_grad()
        with context:
            loss = model(x, y)
        if scaler is not None and use_amp:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()


def main(model, loader, optimizer, args, device):
    if args.mixed_precision and torch.cuda.is_available():
        scaler = torch.amp.GradScaler("cuda")  # expect: AMP204
    else:
        scaler = None
    for _ in range(args.epochs):
        train_epoch(model, loader, optimizer, scaler, args, device)
