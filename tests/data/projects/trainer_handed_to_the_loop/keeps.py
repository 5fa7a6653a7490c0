import torch

from trainers import AlignmentTrainer


def save_checkpoint(model, optimizer, trainer, path):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    state["scaler"] = trainer.scaler.state_dict()
    torch.save(state, path)


def train_one_epoch(batches, trainer):
    for x, y in batches:
        trainer.train_step(x, y)


def main(model, batches, epochs):
    optimizer = torch.optim.AdamW(model.parameters())
    trainer = AlignmentTrainer(model, optimizer)
    for _ in range(epochs):
        train_one_epoch(batches, trainer)
        save_checkpoint(model, optimizer, trainer, "last.pt")
