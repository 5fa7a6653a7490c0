import torch


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.1, 100)
        self.scaler = torch.amp.GradScaler("cuda")

    def optimize(self, loss):
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()

    def advance(self):
        self.scheduler.step()  # expect: AMP114

    def fit(self, loader):
        for x, y in loader:
            self.optimize(self.model(x, y))
            self.advance()
