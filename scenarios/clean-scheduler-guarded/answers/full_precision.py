import torch
from torch.amp import GradScaler, autocast


class Schedule:
    """Steps with the optimizer, not with the loop."""

    def __init__(self, optimizer, scaler, total):
        self.scaler = scaler
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, div_factor=2000, total_steps=total)

    def advance(self, scale_before):
        if self.scaler.get_scale() >= scale_before:
            self.scheduler.step()


class Regression:
    def __init__(self, task):
        self.task = task
        self.model = task.modules["model"].to("cuda")
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.scaler = GradScaler("cuda", init_scale=2.0**20)
        self.schedule = Schedule(self.optimizer, self.scaler, task.steps + 1)

    def step(self, features, progression):
        with autocast("cuda", enabled=False):
            loss = torch.nn.functional.huber_loss(self.model(features), progression)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.advance(scale)

    def run(self):
        for features, progression in self.task.batches:
            self.step(features.to("cuda"), progression.to("cuda"))


def train(task):
    Regression(task).run()
