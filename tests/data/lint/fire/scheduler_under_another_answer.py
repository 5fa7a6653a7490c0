import torch


def scaler_step_a(scaler, optimizer):
    before = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    return optimizer


def train_a(model, loader, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            loss = model(x.cuda(), y.cuda())
        scaler.scale(loss).backward()
        if scaler_step_a(scaler, optimizer):
            scheduler.step()  # expect: AMP114


class Trainer:
    def __init__(self, model, optimizer, scheduler):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.scaler = torch.amp.GradScaler("cuda")

    def optimizer_step(self):
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return True

    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x.cuda(), y.cuda())
            self.scaler.scale(loss).backward()
            if not self.optimizer_step():
                continue
            self.scheduler.step()  # expect: AMP114


def skips_batches(model, loader, optimizer, scheduler, skip):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        if i in skip:
            continue
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()  # expect: AMP114


def accumulates(model, loader, optimizer, scheduler, config):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model(x, y)
        if not torch.isfinite(loss):
            continue
        loss = loss / config.gradient_accumulation
        scaler.scale(loss).backward()
        if (i + 1) % config.gradient_accumulation == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            scheduler.step()  # expect: AMP114
