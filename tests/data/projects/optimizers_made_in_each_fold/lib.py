import torch


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr)

    def fit(self, loader, epochs):
        scaler = torch.amp.GradScaler("cuda")
        for _ in range(epochs):
            for x, y in loader:
                self.optimizer.zero_grad()
                with torch.autocast("cuda"):
                    loss = self.model(x, y)
                scaler.scale(loss).backward()
                scaler.step(self.optimizer)
                scaler.update()


def make_optimizer(model):
    return torch.optim.SGD(model.parameters(), 0.1)


def run(model, loader, optimizer, epochs):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()


def run_state(state, loader):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        state.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = state.model(x, y)
        scaler.scale(loss).backward()
        scaler.step(state.optimizer)
        scaler.update()


def run_pair(model, optimizers, loader):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        for o in optimizers:
            o.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        for o in optimizers:
            scaler.step(o)
        scaler.update()


def turn(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


class Turn:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer

    def run(self, loader):
        scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()
