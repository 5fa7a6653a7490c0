import torch
from engine import Engine


def right(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    engine = Engine(model, optimizer, scaler=scaler)
    for x, y in loader:
        optimizer.zero_grad()
        engine.backward(model(x, y))
        engine.unscale()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def wrong(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    engine = Engine(model, optimizer, scaler)
    for x, y in loader:
        optimizer.zero_grad()
        engine.backward(model(x, y))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        engine.scaler.step(optimizer)
        scaler.update()


class Owner:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")
        self.engine = Engine(self.model, self.optimizer, self.scaler)

    def right(self, batch):
        self.optimizer.zero_grad()
        self.engine.backward(self.model(batch))
        self.engine.unscale()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def wrong(self, batch):
        self.optimizer.zero_grad()
        self.engine.backward(self.model(batch))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # expect: AMP101
        self.scaler.step(self.optimizer)
        self.scaler.update()
