"""Models that are cast as their inputs are, inputs that are float32 again, and a choice between integers."""

import torch


class Evaluator:
    def __init__(self, model, half):
        self.dtype = torch.float16 if half else torch.float32
        self.model = model.to(self.dtype)

    @torch.no_grad()
    def run(self, loader):
        for x in loader:
            x = x.to(self.dtype)
            with torch.autocast("cuda"):
                yield self.model(x)


def train(model, loader, optimizer, half, wide):
    dtype = torch.float16 if half else torch.float32
    index = torch.int64 if wide else torch.int32
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        kept = x.to(dtype)
        record(kept)
        tokens = y.to(index)
        x = x.to(dtype)
        x = normalise(y)
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, tokens)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
