"""Train the flux emulator. Mixed precision follows the options of the run."""

from contextlib import nullcontext

import torch
from torch import nn


class Trainer:
    def __init__(self, model, device, lr=1e-3, grad_clip=1.0, use_amp=True):
        self.device = device
        self.model = model.to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=0.01)
        self.criterion = nn.MSELoss()
        self.grad_clip = grad_clip
        self.use_amp = use_amp
        self.scaler = torch.amp.GradScaler("cuda") if use_amp else None

    def autocast(self):
        return nullcontext()

    def backward_and_step(self, loss):
        if self.scaler is not None:
            self.scaler.scale(loss).backward()
        else:
            loss.backward()

        if self.grad_clip > 0.0:
            if self.scaler is not None:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.grad_clip)

        if self.scaler is not None:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def fit(self, batches):
        self.model.train()
        for profile, fluxes in batches:
            profile = profile.to(self.device, non_blocking=True)
            fluxes = fluxes.to(self.device, non_blocking=True)
            with self.autocast():
                loss = self.criterion(self.model(profile), fluxes)
            self.backward_and_step(loss)


def train(task):
    Trainer(task.modules["model"], torch.device("cuda")).fit(task.batches)
