"""The scaler's switch is a call of a function that this file imports."""

import torch

from lib.precision import wants_scaler


class Trainer:
    def __init__(self, model, optimizer, device, precision, grad_clip=None):
        self.model, self.optimizer, self.device, self.precision = model, optimizer, device, precision
        self.grad_clip = grad_clip
        self.scaler = torch.amp.GradScaler("cuda", enabled=wants_scaler(self.device, self.precision))

    def prepare(self):
        if self.grad_clip is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.grad_clip)

    def clip(self):
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.grad_clip)
