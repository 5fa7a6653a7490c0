"""The step gets its dtype from a caller that lets the configuration choose, or keeps its default."""

import torch


def step(model, optimizer, x, scaler, amp_dtype=torch.bfloat16):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cuda", dtype=amp_dtype):
        loss = model(x.cuda()).mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def train(cfg, model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    amp_dtype = parse(cfg.amp)
    scaler = torch.amp.GradScaler("cuda")  # expect: AMP204
    for x in loader:
        step(model, optimizer, x, scaler, amp_dtype)


def parse(name):
    return torch.bfloat16 if name == "bf16" else torch.float16
