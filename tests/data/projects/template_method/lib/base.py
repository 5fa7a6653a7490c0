import torch


class Trainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = self.make_scaler()

    def make_scaler(self):
        return torch.amp.GradScaler("cuda")

    def before_step(self):
        pass

    def clip(self):
        raise NotImplementedError

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            self.scaler.scale(self.model(x, y)).backward()
            self.before_step()
            self.clip()
            self.scaler.step(self.optimizer)
            self.scaler.update()
