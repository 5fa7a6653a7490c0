import torch


def scaler_step_a(scaler, optimizer):
    before = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    return scaler.get_scale() >= before


def train_a(model, loader, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            loss = model(x.cuda(), y.cuda())
        scaler.scale(loss).backward()
        if scaler_step_a(scaler, optimizer):
            scheduler.step()


def scaler_step_b(scaler, optimizer):
    before = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    applied = scaler.get_scale() >= before
    return applied


def train_b(model, loader, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            loss = model(x.cuda(), y.cuda())
        scaler.scale(loss).backward()
        if scaler_step_b(scaler, optimizer):
            scheduler.step()


class Trainer:
    def __init__(self, model, optimizer, scheduler):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.scaler = torch.amp.GradScaler("cuda")

    def optimizer_step(self):
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return before <= self.scaler.get_scale()

    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x.cuda(), y.cuda())
            self.scaler.scale(loss).backward()
            if not self.optimizer_step():
                continue
            self.scheduler.step()
