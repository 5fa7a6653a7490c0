import copy

import torch


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")
        self.good = None

    def keep(self):
        self.good = {
            "model": copy.deepcopy(self.model.state_dict()),
            "optimizer": copy.deepcopy(self.optimizer.state_dict()),
        }

    def roll_back(self):
        if self.good is None:
            return
        self.model.load_state_dict(self.good["model"])
        self.optimizer.load_state_dict(self.good["optimizer"])

    def train(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
            if not torch.isfinite(loss):
                self.roll_back()
                continue
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.keep()


def restart_where_it_diverges(model, loader, epochs):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    good = copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        if not torch.isfinite(loss):
            model.load_state_dict(good["model"])
            optimizer.load_state_dict(good["optimizer"])
        else:
            good = copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
