import torch
from nets import Net


def train_model(loader):
    model = Net().cuda()
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return model, loss


def train_in_float32(loader):
    model = Net().cuda()
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, loss


class Trainer:
    def __init__(self, config):
        self.model, self.frozen_model = Net(config).cuda(), Net(config).cuda()
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


def supervise(model, x, y, optimizer, scaler):
    with torch.autocast("cuda"):
        state = model.embed(x)
        for _ in range(6):
            state = model.block(state)
        loss = torch.nn.functional.cross_entropy(model.head(state), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
