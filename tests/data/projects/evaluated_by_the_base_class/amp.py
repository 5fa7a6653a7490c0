import torch
from base import Trainer

class AmpTrainer(Trainer):
    def __init__(self, *args):
        super().__init__(*args)
        self.scaler = torch.amp.GradScaler("cuda")

    def train_epoch(self, loader):
        self.model.train()
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.criterion(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def validate_epoch(self, loader):
        return super().validate_epoch(loader)  # expect: AMP304
