"""Keeps the scaler, with a flag for gradients that are unscaled already."""

import torch


class Flagged:
    def __init__(self, enabled):
        self.enabled = enabled
        self._is_unscaled = False
        self.scaler = torch.amp.GradScaler("cuda") if enabled else None

    def scale(self, loss):
        if self.enabled and self.scaler is not None:
            return self.scaler.scale(loss)
        return loss

    def unscale_(self, optimizer):
        if self.enabled and self.scaler is not None and not self._is_unscaled:
            self.scaler.unscale_(optimizer)
            self._is_unscaled = True

    def step(self, optimizer):
        if self.enabled and self.scaler is not None:
            self.scaler.step(optimizer)
        else:
            optimizer.step()

    def update(self):
        if self.enabled and self.scaler is not None:
            self.scaler.update()
            self._is_unscaled = False
