import torch

class Evaluator:
    def __init__(self, model):
        self.model = model

    @torch.no_grad()
    def evaluate(self, loader):
        self.model.eval()
        total = 0
        for x, y in loader:
            total += (self.model(x) == y).sum()
        return total

    @torch.no_grad()
    def report(self, loader):
        self.model.eval()
        for x, y in loader:
            with torch.autocast("cuda"):
                print(self.model(x) == y)
