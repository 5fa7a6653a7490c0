import torch

from stepping_base import SwitchedOffTrainer


class Off(SwitchedOffTrainer):
    def save(self):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, "last")
