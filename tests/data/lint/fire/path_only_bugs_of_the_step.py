import torch


def missing_update(model, loader, optimizer, warm_up):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        if i < warm_up:
            scaler.step(optimizer)  # expect: AMP109
            continue
        scaler.step(optimizer)
        scaler.update()


def skip_without_update(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)  # expect: AMP113
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if norm > 50.0:
            continue
        scaler.step(optimizer)
        scaler.update()


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = torch.amp.GradScaler("cuda")

    def train_step(self, x, y, index):
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)  # expect: AMP105
        if index % 4 == 3:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
