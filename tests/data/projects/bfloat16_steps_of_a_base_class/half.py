import torch

from base import Base


class Half(Base):
    def train(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=self.mixed_precision, dtype=torch.float16):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.step()
