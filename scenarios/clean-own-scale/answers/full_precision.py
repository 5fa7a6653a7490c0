import torch
from torch import nn


class DynamicScale:
    def __init__(self, start=2.0**15, interval=500):
        self.value, self.interval, self.good = start, interval, 0

    def backward(self, loss):
        (loss.float() * self.value).backward()

    def unscale(self, parameters):
        found_inf = False
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.div_(self.value)
                found_inf = found_inf or not torch.isfinite(parameter.grad).all()
        return found_inf

    def update(self, found_inf):
        self.good = 0 if found_inf else self.good + 1
        if found_inf:
            self.value /= 2
        elif self.good == self.interval:
            self.value, self.good = self.value * 2, 0


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-3)
    scale = DynamicScale()

    for features, progression in task.batches:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16, enabled=False):
            loss = nn.functional.smooth_l1_loss(model(features.cuda()), progression.cuda())
        scale.backward(loss)
        found_inf = scale.unscale(model.parameters())
        if not found_inf:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        scale.update(found_inf)
