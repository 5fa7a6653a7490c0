"""Names that a file sets itself where an import that is not torch's fails, or on a condition, may be either."""

import torch

try:
    from mine.precision import GradScaler, autocast
except ImportError:

    def autocast(enabled):
        return torch.autocast("cuda", enabled=enabled)

    def GradScaler(enabled):
        return torch.amp.GradScaler("cuda", enabled=enabled)


try:
    from torch.amp import autocast as region
except ImportError:
    region = None
try:
    from torch.amp import autocast as any_region

    KIND = "new"
except ImportError:
    from torch.cuda.amp import autocast as any_region

    KIND = "old"
if not torch.cuda.is_available():

    def region(enabled):
        return torch.autocast("cpu", enabled=enabled)


Scaler = getattr(torch.amp, "GradScaler", None) or torch.cuda.amp.GradScaler


def train(model, loader, optimizer, use_amp):
    scaler = GradScaler(use_amp)
    for x, y in loader:
        optimizer.zero_grad()
        with autocast(use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def score(model, x, use_amp):
    with region(use_amp):
        return model(x)


def enter(model, x, use_amp):
    if KIND == "new":
        with any_region("cuda", enabled=use_amp):
            return model(x)
    with any_region(enabled=use_amp):
        return model(x)
