"""Weights cast in one function and trained by an optimizer that another builds."""

import torch


class Experiment:
    def build(self, model):
        self.model = model
        self.model.to("cuda", dtype=torch.bfloat16)  # expect: AMP301, AMP302
        self.make()

    def make(self):
        self.optimizer = torch.optim.AdamW(self.model.parameters())

    def step(self, x, y):
        self.optimizer.zero_grad()
        self.model(x, y).backward()
        self.optimizer.step()


class Trainer:
    def __init__(self, model):
        self.model = model
        self.model.half()  # expect: AMP301
        self.optimizer = build_optimizer(model)

    def step(self, x, y):
        self.model(x, y).backward()
        self.optimizer.step()


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), eps=1e-4)


class Phases:
    def run(self, loader):
        self.load()
        if self.trains:
            self.prepare()
            self.train(loader)

    def load(self):
        self.net = torch.nn.Linear(8, 8).half()  # expect: AMP301

    def prepare(self):
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)

    def train(self, loader):
        for x, y in loader:
            self.net(x, y).backward()
            self.optimizer.step()


def build():
    model = torch.nn.Linear(8, 8)
    model.half()  # expect: AMP301
    return model


def train(loader):
    model = build().cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()


def load(name):
    student = torch.nn.Linear(8, 8).to(torch.bfloat16)  # expect: AMP301
    return student, name


def finetune(loader):
    student, _ = load("small")
    run(student, loader)


def run(student, loader):
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    for x, y in loader:
        student(x, y).backward()
        optimizer.step()


def to_half(net):
    net.half()  # expect: AMP301


def train_net(net, loader):
    to_half(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x, y in loader:
        net(x, y).backward()
        optimizer.step()
