import torch

from stepping_base import SteppingTrainer


class Saves(SteppingTrainer):
    def fit(self, loader):
        for x, y in loader:
            self.train_step(x, y)
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, "last")  # expect: AMP203
