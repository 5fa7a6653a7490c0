import torch

CONFIG = {"dtype": "bfloat16", "train": {"window": 16}, "clip": None}


def train(model, loader, optimizer, criterion):
    dtype = torch.float16 if CONFIG["dtype"] == "float16" else torch.bfloat16
    scaler = torch.amp.GradScaler("cuda")  # expect: AMP204
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=dtype):
            loss = criterion(model(x), y) / CONFIG["train"]["window"]
        if CONFIG["train"]["window"] > 1:
            scaler.scale(loss).backward()
        if (i + 1) % CONFIG["train"]["window"] == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
