import torch


def train(model, loader, optimizers, schedulers, clip):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        for index, optimizer in enumerate(optimizers):
            optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        for index in range(len(optimizers)):
            scaler.unscale_(optimizers[index])
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        for index in range(len(optimizers)):
            scaler.step(optimizers[index])
        before = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= before:
            for index in range(len(schedulers)):
                schedulers[index].step()


class Trainer:
    def __init__(self, model, optimizers):
        self.model, self.optimizers = model, optimizers
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, x, y):
        for name in self.optimizers:
            self.optimizers[name].zero_grad()
        self.scaler.scale(self.model(x, y)).backward()
        for optimizer in self.optimizers.values():
            self.scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers.values():
            self.scaler.step(optimizer)
        self.scaler.update()
