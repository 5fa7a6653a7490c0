"""Mixed precision in one place."""

import torch


class Precision:
    def __init__(self, device):
        self.device = device
        self.scaler = torch.amp.GradScaler(device)

    def region(self, enabled=True):
        return torch.autocast(self.device, dtype=torch.float16, enabled=enabled)


def make_optimizer(model, lr=0.05):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
