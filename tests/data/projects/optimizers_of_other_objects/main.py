import torch

from trainers import Trainer


def main(model, loader, epochs):
    trainer = Trainer(model, torch.optim.AdamW(model.parameters()))
    for _ in range(epochs):
        trainer.train_epoch(loader)
        torch.save({"model": model.state_dict(), "optimizer": trainer.optimizer.state_dict()}, "last.pt")  # expect: AMP203
