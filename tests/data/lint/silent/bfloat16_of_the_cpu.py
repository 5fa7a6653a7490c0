"""Regions of which one is switched off, or of the CPU, have no other dtype for that."""

import torch


class Trainer:
    def __init__(self, model, optimizer, device):
        self.model, self.optimizer, self.device = model, optimizer, device

    def region(self):
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return torch.autocast("cuda", enabled=False)

    def step(self, x, y):
        self.optimizer.zero_grad()
        with self.region():
            loss = self.model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def scaled(model, loader, optimizer, device, scaler):
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=half):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
