import torch

from trainers import AlignmentTrainer


def save_checkpoint(model, optimizer, epoch, path):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}  # expect: AMP203
    torch.save(state, path)


def load_checkpoint(path, model, optimizer):
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])  # expect: AMP203
    return checkpoint["epoch"] + 1


def train_one_epoch(epoch, batches, trainer):
    for x, y in batches:
        trainer.train_step(x, y)


def main(model, batches, epochs):
    optimizer = torch.optim.AdamW(model.parameters())
    trainer = AlignmentTrainer(model=model, optimizer=optimizer)
    start = load_checkpoint("last.pt", model, optimizer)
    for epoch in range(start, epochs):
        train_one_epoch(epoch, batches, trainer)
        save_checkpoint(model, optimizer, epoch, "last.pt")
