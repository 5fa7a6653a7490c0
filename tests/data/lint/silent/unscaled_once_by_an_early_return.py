"""An object that unscales once: a flag makes the second call return at once."""

import torch


class Stepper:
    """Helper object with its own state: who was unscaled is told by a set."""

    def __init__(self, optimizers, scaler, clip=None):
        self.optimizers, self.scaler, self.clip = optimizers, scaler, clip
        self.unscaled = False

    def unscale(self):
        if self.unscaled:
            return
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        self.unscaled = True

    def norm(self, parameters):
        self.unscale()
        return torch.nn.utils.clip_grad_norm_(parameters, self.clip or float("inf"))

    def finish(self):
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        self.unscaled = False
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)


def train(model, head, loader):
    a = torch.optim.AdamW(model.parameters())
    b = torch.optim.SGD(head.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    stepper = Stepper([a, b], scaler, 1.0)
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(head(model(x)), y)
        scaler.scale(loss).backward()
        stepper.unscale()
        norm = stepper.norm(model.parameters())
        print(norm)
        stepper.finish()
