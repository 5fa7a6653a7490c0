"""Tests that speak of the dtype and hold in bfloat16 as well as in float16."""

import torch


def epoch(model, loader, optimizer, scaler, dtype, use_amp):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype, enabled=use_amp):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def by_presence(model, loader, optimizer, mode):
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(mode)
    scaler = torch.amp.GradScaler("cuda", enabled=dtype is not None)  # expect: AMP204
    epoch(model, loader, optimizer, scaler, dtype, dtype is not None)


def by_another(model, loader, optimizer, mode):
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(mode)
    scaler = torch.amp.GradScaler("cuda", enabled=mode != "fp32")  # expect: AMP204
    epoch(model, loader, optimizer, scaler, dtype, mode != "fp32")


def by_width(model, loader, optimizer, mode):
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(mode)
    scaler = torch.amp.GradScaler("cuda", enabled="16" in mode)  # expect: AMP204
    epoch(model, loader, optimizer, scaler, dtype, "16" in mode)
