from functools import partial

import torch
from torch.nn.utils import clip_grad_norm_


class Trainer:
    def __init__(self, model, value=None):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = torch.amp.GradScaler("cuda")
        self.clip = partial(clip_grad_norm_, max_norm=1.0)
        self.clip_values = lambda parameters: torch.nn.utils.clip_grad_value_(parameters, value)  # expect: AMP101

    def fit(self, loader):
        for x, y in loader:
            self.scaler.scale(self.model(x, y)).backward()
            self.clip(self.model.parameters())  # expect: AMP101
            self.clip_values(self.model.parameters())
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
