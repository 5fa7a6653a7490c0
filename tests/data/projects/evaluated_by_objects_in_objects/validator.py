import torch
from evaluator import Evaluator


class Validator:
    def __init__(self, model, device):
        self.evaluator = Evaluator(model=model)
        self.device = torch.device(device)

    def validate(self, loader):
        with torch.no_grad():
            return self.evaluator.evaluate(loader)

    def report(self, loader):
        with torch.no_grad():
            return self.evaluator.report(loader)

    def names(self, optimizer):
        return [group["name"] for group in optimizer.param_groups]
