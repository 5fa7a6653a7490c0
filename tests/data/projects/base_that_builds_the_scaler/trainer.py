import torch

from base import Base


class Trainer(Base):
    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
