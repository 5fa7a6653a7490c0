"""What `except ImportError` offers instead does not change what autocast and GradScaler are."""

import torch

try:
    from torch.amp import GradScaler, autocast
except ImportError:
    from contextlib import nullcontext as autocast

    class GradScaler:
        def scale(self, loss):
            return loss

        def step(self, optimizer):
            optimizer.step()

        def update(self):
            pass


try:
    from torch.cuda import amp
except ImportError:
    amp = None


def train(model, loader, optimizer, use_amp, device):
    scaler = GradScaler(use_amp)  # expect: AMP605
    for x, y in loader:
        optimizer.zero_grad()
        with autocast(enabled=use_amp):  # expect: AMP602
            loss = model(x, y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()


def score(model, x):
    with amp.autocast("cuda"):  # expect: AMP601, AMP602
        return model(x)
