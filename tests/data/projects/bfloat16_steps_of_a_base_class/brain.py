import torch

from base import Base


class Brain(Base):
    def train(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=self.mixed_precision, dtype=torch.bfloat16):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()  # expect: AMP204
        self.step()


class Unscaled(Base):
    def train(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=self.mixed_precision, dtype=torch.bfloat16):
            loss = self.model(x, y)
        loss.backward()
        self.optimizer.step()
