"""A loss scaled without a test, and a clip in front of unscale_."""

import torch


def train(model, loader, loss_fn, device, use_amp):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scaler = None
    if use_amp and device.type == "cuda":
        scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        if scaler is not None:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
        optimizer.zero_grad()
