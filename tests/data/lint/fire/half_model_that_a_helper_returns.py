import torch
from transformers import AutoModel


def to_half(model):
    return model.half()  # expect: AMP301


def load(name):
    return AutoModel.from_pretrained(name, torch_dtype=torch.bfloat16).cuda()  # expect: AMP301


def build():
    return torch.nn.Linear(8, 8).half()  # expect: AMP301


def train(loader):
    model = to_half(torch.nn.Linear(10, 1).cuda())
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x.half()), y.half())
        loss.backward()
        optimizer.step()


def finetune(loader):
    model = load("small")
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        model(x, y).backward()
        optimizer.step()


def train_net(loader):
    net = build()
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        net(x.half()).sum().backward()
        optimizer.step()


class Trainer:
    def __init__(self, model):
        self.model = model
        self._cast()
        self.optimizer = torch.optim.Adam(self.model.parameters())

    def _cast(self):
        self.model = self.model.half()  # expect: AMP301

    def step(self, x, y):
        self.optimizer.zero_grad()
        torch.nn.functional.mse_loss(self.model(x.half()), y).backward()
        self.optimizer.step()
