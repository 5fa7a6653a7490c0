import torch

from steps import unscale_and_clip


def train(model, loader, optimizer, args):
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16, enabled=args.amp):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        unscale_and_clip(scaler, optimizer, model, 1.0)
        scaler.step(optimizer)
        scaler.update()
