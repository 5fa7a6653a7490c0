import torch


class Evaluator:
    def __init__(self, classes):
        self.classes = classes

    @torch.no_grad()
    def evaluate(self, model, loader):
        model.eval()
        return self._score(model, loader)

    def _score(self, model, loader):
        return sum((model(x).argmax(1) == y).sum() for x, y in loader)

    @torch.no_grad()
    def report(self, model, loader):
        model.eval()
        for x, y in loader:
            with torch.autocast("cuda"):
                print(model(x).argmax(1) == y)


class Counter:
    def evaluate(self, model, loader):
        model.eval()
        with torch.no_grad():
            return sum(p.numel() for p in model.parameters())
