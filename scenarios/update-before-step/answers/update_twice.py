import torch
from torch import nn


class Fitter:
    max_norm = 1.0

    def __init__(self, locator, device="cuda"):
        self.device = device
        self.locator = locator.to(device)
        self.loss_fn = nn.MSELoss()
        self.optim = torch.optim.SGD(self.locator.parameters(), lr=0.1)
        self.grad_scaler = torch.GradScaler(device, init_scale=2.0**12)

    def fit(self, batches):
        for times, place in batches:
            self.optim.zero_grad()
            with torch.autocast(self.device):
                loss = self.loss_fn(self.locator(times.to(self.device)), place.to(self.device))
            self.grad_scaler.scale(loss).backward()
            self.grad_scaler.unscale_(self.optim)
            nn.utils.clip_grad_norm_(self.locator.parameters(), self.max_norm)
            self.grad_scaler.update()
            self.grad_scaler.step(self.optim)
            self.grad_scaler.update()


def train(task):
    Fitter(task.modules["locator"]).fit(task.batches)
