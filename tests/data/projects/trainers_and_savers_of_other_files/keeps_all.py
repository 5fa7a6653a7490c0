import torch

from engine import Trainer


def main(model, batches):
    optimizer = torch.optim.AdamW(model.parameters())
    trainer = Trainer(model, optimizer)
    trainer.train_epoch(batches)
    torch.save({"optimizer": optimizer.state_dict(), "scaler": trainer.scaler.state_dict()}, "all.pt")
