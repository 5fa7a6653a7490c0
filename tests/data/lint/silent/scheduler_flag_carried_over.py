import torch


class Trainer:
    def __init__(self, model, loader, optimizer, total):
        self.model, self.loader, self.optimizer = model, loader, optimizer
        self.scaler = torch.amp.GradScaler("cuda")
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)

    def epoch(self):
        applied = False
        for x, y in self.loader:
            if applied:
                self.scheduler.step()
            applied = False
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            scale = self.scaler.get_scale()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.scaler.get_scale() >= scale:
                applied = True


def flushed(model, loader, optimizer, epochs):
    scaler = torch.amp.GradScaler("cuda")
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    for _ in range(epochs):
        for i, (x, y) in enumerate(loader):
            with torch.autocast("cuda"):
                loss = model(x, y) / 4
            scaler.scale(loss).backward()
            if (i + 1) % 4 == 0:
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
        if len(loader) % 4 != 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        scheduler.step()
