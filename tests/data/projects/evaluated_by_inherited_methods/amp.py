import torch
from base import Trainer


class AmpTrainer(Trainer):
    def __init__(self, *args):
        super().__init__(*args)
        self.scaler = torch.amp.GradScaler("cuda")

    def train_epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):  # expect: AMP304
                loss = self.criterion(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


class CarefulTrainer(Trainer):
    def __init__(self, *args):
        super().__init__(*args)
        self.scaler = torch.amp.GradScaler("cuda")

    def train_epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.criterion(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def validate(self, loader):
        self.model.eval()
        with torch.no_grad(), torch.autocast("cuda"):
            for x, y in loader:
                print(self.criterion(self.model(x), y))
