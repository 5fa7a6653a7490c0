from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass
class Config:
    lr: float = 3e-3
    amp: bool = True
    grad_scaling: bool = False


class Trainer:
    def __init__(self, model, cfg):
        self.cfg = cfg
        self.model = model.cuda()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=cfg.lr, eps=1e-10)
        self.scaler = torch.amp.GradScaler("cuda", enabled=cfg.grad_scaling)

    def step(self, reading, residual):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16, enabled=self.cfg.amp):
            loss = 1e-2 * F.mse_loss(self.model(reading), residual)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(task):
    trainer = Trainer(task.modules["model"], Config())
    for reading, residual in task.batches:
        trainer.step(reading.cuda(), residual.cuda())
