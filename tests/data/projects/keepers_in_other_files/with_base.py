import torch

from keepers import Base


class Mixed(Base):
    def __init__(self, model):
        super().__init__(model)
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, batches, path):
        for x, y in batches:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.save(path)  # expect: AMP203
