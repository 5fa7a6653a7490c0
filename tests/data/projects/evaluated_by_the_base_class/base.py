import torch

class Trainer:
    def __init__(self, model, optimizer, criterion):
        self.model, self.optimizer, self.criterion = model, optimizer, criterion

    def train(self, loader, val):
        for epoch in range(9):
            self.train_epoch(loader)
            self.validate_epoch(val)

    def train_epoch(self, loader):
        raise NotImplementedError

    def validate_epoch(self, loader):
        self.model.eval()
        with torch.no_grad():
            for x, y in loader:
                print(self.criterion(self.model(x), y))
