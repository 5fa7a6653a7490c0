"""Builders and helpers that cast under a test which the training call leaves out."""

import torch
import torch.nn.functional as F


def build(half=False):
    model = torch.nn.Linear(8, 8).cuda()
    if half:
        model = model.half()
    return model


def train(loader):
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


def distil(loader):
    student = build(half=False)
    teacher = build(half=True)
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3)
    for x in loader:
        optimizer.zero_grad()
        F.mse_loss(student(x), teacher(x.half()).float()).backward()
        optimizer.step()


def prepare(net, train):
    if train:
        return
    net.half().eval()


def train_prepared(net, loader):
    prepare(net, train=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()


class Runner:
    def __init__(self, net, mode):
        self.net = net
        if mode == "predict":
            self.net.half()
        else:
            self.opt = self.configure()

    def configure(self):
        return torch.optim.Adam(self.net.parameters())

    def step(self, x, y):
        self.opt.zero_grad()
        F.mse_loss(self.net(x), y).backward()
        self.opt.step()


def main(args, loader):
    model = torch.nn.Linear(8, 8).cuda()
    if args.eval_only:
        print(halve(model)(next(loader)))
        return
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


def halve(model):
    return model.half()
