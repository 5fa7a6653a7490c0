import torch

from precision import Precision, average


class Trainer:
    def __init__(self, model, optimizer, dtype):
        self.model, self.optimizer = model, optimizer
        self.amp = Precision(True, dtype)

    def fit(self, batches):
        self.optimizer.zero_grad()
        for i, (x, y) in enumerate(batches):
            with torch.autocast("cuda"):
                loss = self.model(x, y) / 4
            self.amp.scale_loss(loss).backward()
            if i % 4 == 3:
                self.amp.scaler.unscale_(self.optimizer)
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.amp.step(self.optimizer)
                self.optimizer.zero_grad()


def accumulate(model, batches, optimizer, count):
    criterion = torch.nn.CrossEntropyLoss()
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        loss = criterion(model(x), y)
        loss.backward()
        if (i + 1) % count == 0:
            average(list(model.parameters()), i)
            optimizer.step()
            optimizer.zero_grad()
