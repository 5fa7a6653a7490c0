import torch

from common.amp import Mixed


class Trainer:
    def __init__(self, model, clips):
        self.model, self.clips = model, clips
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.mixed = Mixed()

    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            scaled = self.mixed.scale_loss(loss)
            scaled.backward()
            self.mixed.unscale(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.mixed.step(self.optimizer)
            self.optimizer.zero_grad()

    def hurry(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.mixed.scale_loss(loss).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # expect: AMP101
            self.mixed.step(self.optimizer)
            self.optimizer.zero_grad()

    def save(self, path):
        torch.save({"optimizer": self.optimizer.state_dict()}, path)  # expect: AMP203


def in_full(model, loader, optimizer):
    mixed = Mixed(enabled=False)
    for x, y in loader:
        optimizer.zero_grad()
        scaled = mixed.scale_loss(model(x, y))
        scaled.backward()
        mixed.step(optimizer)
