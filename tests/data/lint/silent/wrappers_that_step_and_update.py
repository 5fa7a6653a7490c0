"""An object around a scaler, handed in: its step updates too, its unscale_ runs once."""

import torch


class Amp:
    """step also updates; unscale_ is lazy."""

    def __init__(self, enabled=True):
        self._scaler = torch.amp.GradScaler("cuda", enabled=enabled)
        self._done = set()

    def scale(self, loss):
        return self._scaler.scale(loss)

    def unscale_(self, optimizer):
        if id(optimizer) not in self._done:
            self._scaler.unscale_(optimizer)
            self._done.add(id(optimizer))

    def clip(self, optimizer, parameters, value):
        self.unscale_(optimizer)
        return torch.nn.utils.clip_grad_norm_(parameters, value)

    def step(self, *optimizers):
        for optimizer in optimizers:
            self._scaler.step(optimizer)
        self._scaler.update()
        self._done.clear()


def train(model, loader, optimizer, amp: Amp):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        amp.scale(loss).backward()
        amp.unscale_(optimizer)
        amp.clip(optimizer, model.parameters(), 1.0)
        amp.step(optimizer)


def train_two(model, loader, a, b, amp: Amp):
    for x, y in loader:
        a.zero_grad()
        b.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        amp.scale(loss).backward()
        amp.unscale_(a)
        amp.clip(b, model.parameters(), 1.0)
        amp.step(a, b)


def train_unseen(model, loader, optimizer, precision):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        precision.scale(loss).backward()
        precision.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        precision.step(optimizer)
