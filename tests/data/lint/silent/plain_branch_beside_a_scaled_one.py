import contextlib

import torch


class Trainer:
    def __init__(self, network, device):
        self.network, self.device = network, device
        self.optimizer = torch.optim.SGD(network.parameters(), 0.1)
        self.grad_scaler = torch.amp.GradScaler("cuda") if device.type == "cuda" else None

    def step(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda") if self.device.type == "cuda" else contextlib.nullcontext():
            loss = self.network(x, y)
        if self.grad_scaler is not None:
            self.grad_scaler.scale(loss).backward()
            self.grad_scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
            self.grad_scaler.step(self.optimizer)
            self.grad_scaler.update()
        else:
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
            self.optimizer.step()
