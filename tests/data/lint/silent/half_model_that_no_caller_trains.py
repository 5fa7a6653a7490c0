"""Weights cast in one function, and trained by another before that, or in float32, or not at all."""

import copy

import torch


class Exporter:
    def __init__(self, model):
        self.model = model
        self.make()

    def make(self):
        self.optimizer = torch.optim.AdamW(self.model.parameters())

    def run(self, loader):
        self.train(loader)
        self.export()

    def train(self, loader):
        for x, y in loader:
            self.model(x, y).backward()
            self.optimizer.step()

    def export(self):
        self.model.half()
        torch.save(self.model.state_dict(), "small.pt")


class Loader:
    def run(self, loader):
        self.load()
        self.model.float()
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.train(loader)

    def load(self):
        self.model = torch.nn.Linear(8, 8).half()

    def train(self, loader):
        for x, y in loader:
            self.model(x, y).backward()
            self.optimizer.step()


def to_half(net):
    net = copy.deepcopy(net)
    net.half()
    return net


def train(net, loader):
    small = to_half(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x, y in loader:
        net(x, small(x), y).backward()
        optimizer.step()


def teacher():
    model = torch.nn.Linear(8, 8).half()
    return model


def distil(student, loader):
    model = teacher()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    for x, y in loader:
        student(x, model(x.half()), y).backward()
        optimizer.step()


def compare(loader):
    model = torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, loader)
    model = teacher()
    return model(loader[0])


def load():
    base = torch.nn.Linear(8, 8).half()
    base.requires_grad_(False)
    return base


def tune(loader):
    base = load()
    optimizer = torch.optim.SGD(base.parameters(), lr=0.1)
    for x, y in loader:
        base(x, y).backward()
        optimizer.step()


def half_or_not(small):
    model = torch.nn.Linear(8, 8)
    if small:
        return torch.nn.Linear(4, 4)
    model.half()
    return model.float()


def train_one_of_both(loader, small):
    model = half_or_not(small)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def main(loader, fit):
    net = torch.nn.Linear(8, 8)
    optimizer = build_optimizer(net)
    fit(net, optimizer, loader)
    net.half()
    torch.save(net.state_dict(), "small.pt")
