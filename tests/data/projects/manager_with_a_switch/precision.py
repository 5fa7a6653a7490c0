import torch


class Precision:
    def __init__(self, enabled, dtype):
        self.enabled, self.dtype = enabled, dtype
        use_scaler = self.enabled and self.dtype == torch.float16
        self.scaler = torch.amp.GradScaler("cuda", enabled=use_scaler)

    def scale_loss(self, loss):
        return self.scaler.scale(loss)

    def step(self, optimizer):
        self.scaler.step(optimizer)
        self.scaler.update()


def average(parameters, count):
    for p in parameters:
        p.grad.div_(count)
