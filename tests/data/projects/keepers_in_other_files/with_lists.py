import torch

from keepers import load_all


class Trainer:
    def __init__(self, model, path):
        self.model = model
        self.optimizers = [torch.optim.AdamW(model.parameters()), torch.optim.SGD(model.parameters(), lr=0.1)]
        self.scaler = torch.amp.GradScaler("cuda")
        load_all(path, self.model, self.optimizers)  # expect: AMP203

    def step(self, x, y):
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
