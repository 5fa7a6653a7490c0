import torch

from precision import Precision


class Strategy:
    def __init__(self, optimizer, precision):
        self.optimizer, self.precision = optimizer, precision
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def process(self, loss):
        self.precision.backward(loss)

    def commit(self):
        self.precision.unscale_(self.optimizer)  # expect: AMP113
        if not all(bool(torch.isfinite(p.grad).all()) for p in self.parameters):
            return self.abort()
        self.precision.step(self.optimizer)
        self.optimizer.zero_grad(set_to_none=True)
        return True

    def abort(self):
        self.optimizer.zero_grad(set_to_none=True)
        return False


def train(model, loader):
    strategy = Strategy(torch.optim.AdamW(model.parameters()), Precision(True))
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        strategy.process(loss)
        strategy.commit()
