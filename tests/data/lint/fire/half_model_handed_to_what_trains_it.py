"""The cast lies in one function, the optimizer in the function or object that gets the model."""

import torch


def train(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        loss = torch.nn.functional.cross_entropy(model(x.cuda().half()), y.cuda())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main(model, loader):
    model = model.cuda().half()  # expect: AMP301
    train(model, loader)


class Trainer:
    def __init__(self, network, lr):
        self.model = network
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr)

    def step(self, x, y):
        loss = torch.nn.functional.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def by_object(network, loader):
    network.half()  # expect: AMP301
    trainer = Trainer(network, 1e-3)
    for x, y in loader:
        trainer.step(x.cuda().half(), y.cuda())
