import torch
from torch import nn


class OwnScaler:
    def __init__(self, start=65536.0, growth=2.0, backoff=0.5, interval=2000):
        self.value, self.growth, self.backoff, self.interval = start, growth, backoff, interval
        self.clean = 0

    def enlarge(self, loss):
        return loss * self.value

    def reduce(self, optim):
        overflow = False
        for group in optim.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad.div_(self.value)
                    if not torch.isfinite(weight.grad).all():
                        overflow = True
        return overflow

    def adapt(self, overflow):
        if overflow:
            self.value *= self.backoff
            self.clean = 0
        else:
            self.clean += 1
            if self.clean >= self.interval:
                self.value *= self.growth
                self.clean = 0


def train(net, train_set):
    optim = torch.optim.Adam(net.parameters())
    keeper = OwnScaler(32768.0)
    for images, labels in train_set:
        optim.zero_grad()
        with torch.autocast("cuda"):
            loss = nn.CrossEntropyLoss()(net(images), labels)
        enlarged = keeper.enlarge(loss)
        enlarged.backward()
        overflow = keeper.reduce(optim)
        if not overflow:
            torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
            optim.step()
        keeper.adapt(overflow)
