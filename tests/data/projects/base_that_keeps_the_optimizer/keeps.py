import torch

from base_trainer import BaseTrainer


class Overriding(BaseTrainer):
    def __init__(self, model, optimizer, config, loader):
        self.scaler = torch.amp.GradScaler("cuda")
        super().__init__(model, torch.nn.CrossEntropyLoss(), optimizer, config)
        self.loader = loader

    def _train_epoch(self, epoch):
        for x, y in self.loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.criterion(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def _save_checkpoint(self, epoch, save_best=False):
        super()._save_checkpoint(epoch, save_best)
        torch.save(self.scaler.state_dict(), self.checkpoint_dir / "scaler.pth")

    def _resume_checkpoint(self, path):
        super()._resume_checkpoint(path)
        self.scaler.load_state_dict(torch.load(self.checkpoint_dir / "scaler.pth"))
