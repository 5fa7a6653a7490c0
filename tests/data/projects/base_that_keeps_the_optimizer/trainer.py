import torch

from base_trainer import BaseTrainer


class Trainer(BaseTrainer):  # expect: AMP203
    def __init__(self, model, optimizer, config, loader):
        super().__init__(model, torch.nn.CrossEntropyLoss(), optimizer, config)  # expect: AMP203
        self.loader = loader
        self.scaler = torch.amp.GradScaler("cuda")

    def _train_epoch(self, epoch):
        for x, y in self.loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.criterion(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


class Tester(Trainer):
    def _train_epoch(self, epoch):
        return epoch
