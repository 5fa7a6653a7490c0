import torch
from abc import abstractmethod


class BaseTrainer:
    def __init__(self, model, criterion, optimizer, config):
        self.model, self.criterion, self.optimizer, self.config = model, criterion, optimizer, config
        self.epochs = config["epochs"]
        self.checkpoint_dir = config.save_dir
        if config.resume is not None:
            self._resume_checkpoint(config.resume)

    @abstractmethod
    def _train_epoch(self, epoch):
        raise NotImplementedError

    def train(self):
        for epoch in range(self.epochs):
            self._train_epoch(epoch)
            self._save_checkpoint(epoch)

    def _save_checkpoint(self, epoch, save_best=False):
        state = {
            "epoch": epoch,
            "state_dict": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, str(self.checkpoint_dir / "last.pth"))

    def _resume_checkpoint(self, path):
        checkpoint = torch.load(path)
        self.model.load_state_dict(checkpoint["state_dict"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
