import functools

import torch
from steps import amp_step, backward, clip, clip_one, plain_step


class Trainer:
    def __init__(self, model, optimizer, amp):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")
        self.do_step = amp_step if amp else plain_step
        self.clip = functools.partial(clip, 5.0)

    def chosen(self, batch):
        self.optimizer.zero_grad()
        self.do_step(self.scaler, self.optimizer, self.model(batch))

    def stored(self, batch):
        self.optimizer.zero_grad()
        self.scaler.scale(self.model(batch)).backward()
        self.clip(self.model.parameters())  # expect: AMP101
        self.scaler.step(self.optimizer)
        self.scaler.update()


def partial_of_a_step(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    run_backward = functools.partial(backward, scaler)
    for x, y in loader:
        optimizer.zero_grad()
        run_backward(model(x, y))
        clip_one(model.parameters())  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()


def closure(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")

    def finish():
        scaler.unscale_(optimizer)
        clip_one(model.parameters())
        scaler.step(optimizer)
        scaler.update()

    def unfinished(hook):
        hook()
        scaler.step(optimizer)
        scaler.update()

    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        finish()
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        unfinished(lambda: clip_one(model.parameters()))  # expect: AMP101
