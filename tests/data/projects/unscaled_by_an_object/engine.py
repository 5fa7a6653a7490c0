"""A step given up behind unscale_; the clip of the next turn is kept from a second unscale_ by a flag alone."""

import torch

from amp import Flagged


class Engine:
    def __init__(self, model, loader, health, steps, device):
        self.model, self.loader, self.health, self.steps = model, loader, health, steps
        self.device = device
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.amp = Flagged(enabled=(self.device.type == "cuda"))

    def train(self):
        step = 0
        batches = iter(self.loader)
        while step < self.steps:
            x, y = next(batches)
            with torch.autocast("cuda"):
                loss = self.model(x, y) / self.steps
            self.amp.scale(loss).backward()
            if (step + 1) % self.steps == 0:
                self.amp.unscale_(self.optimizer)  # expect: AMP113
                if not self.health.check():
                    self.optimizer.zero_grad(set_to_none=True)
                    step = self.health.resume()
                    continue
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.amp.step(self.optimizer)
                self.amp.update()
                self.optimizer.zero_grad(set_to_none=True)
            step += 1
