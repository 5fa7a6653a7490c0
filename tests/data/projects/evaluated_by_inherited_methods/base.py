import torch


class Trainer:
    def __init__(self, model, optimizer, criterion):
        self.model, self.optimizer, self.criterion = model, optimizer, criterion

    def fit(self, loader, held_out):
        for epoch in range(9):
            self.train_epoch(loader)
            self.validate(held_out)
            self.report(held_out)
            with torch.autocast("cuda"):
                self.score(held_out)

    def validate(self, loader):
        self.model.eval()
        with torch.no_grad():
            for x, y in loader:
                print(self.criterion(self.model(x), y))

    def report(self, loader):
        self.model.eval()
        with torch.no_grad(), torch.autocast("cuda"):
            for x, y in loader:
                print(self.model(x))

    def score(self, loader):
        self.model.eval()
        with torch.no_grad():
            for x, y in loader:
                print(self.model(x).argmax(1) == y)

    def predict(self, loader):
        self.model.eval()
        with torch.no_grad():
            for x in loader:
                yield self.model(x)
