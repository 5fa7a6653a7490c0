import torch

from engine import Trainer
from savers import BestSaver, Keeper


def main(model, batches, validate):
    optimizer = torch.optim.AdamW(model.parameters())
    trainer = Trainer(model, optimizer)
    saver, keeper = BestSaver("best.pt"), Keeper()
    for _ in range(10):
        trainer.train_epoch(batches)
        saver.step(model, optimizer, validate(model))  # expect: AMP203
        keeper(model, optimizer, "last.pt")  # expect: AMP203
        torch.save({"optimizer": optimizer.state_dict()}, "all.pt")  # expect: AMP203


def train_without(model, batches):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in batches:
        optimizer.zero_grad()
        model(x, y).backward()
        optimizer.step()
    torch.save({"optimizer": optimizer.state_dict()}, "plain.pt")
