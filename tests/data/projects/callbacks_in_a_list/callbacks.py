import torch


class BestModel:
    def __init__(self, path):
        self.path, self.best = path, float("inf")

    def __call__(self, model, optimizer, epoch, metric):
        if metric < self.best:
            self.best = metric
            torch.save({"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, self.path)


class Checkpoint:
    def on_epoch_end(self, trainer, epoch):
        torch.save({"model": trainer.model.state_dict(), "optimizer": trainer.optimizer.state_dict()}, f"{epoch}.pt")


class Weights:
    def on_epoch_end(self, trainer, epoch):
        torch.save(trainer.model.state_dict(), f"{epoch}.pt")


class Whole:
    def on_epoch_end(self, trainer, epoch):
        state = {"optimizer": trainer.optimizer.state_dict(), "scaler": trainer.scaler.state_dict()}
        torch.save(state, f"{epoch}.pt")
