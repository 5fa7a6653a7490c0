"""Inside one region the second forward runs on the cached half copies of the weights that the first one had."""

import torch
import torch.nn.functional as F


class EMA:
    def __init__(self, model):
        self.shadow = {n: p.data.clone() for n, p in model.named_parameters()}

    def apply(self, model):
        self.backup = {}
        for name, param in model.named_parameters():
            self.backup[name] = param.data.clone()
            param.data.copy_(self.shadow[name])

    def restore(self, model):
        for name, param in model.named_parameters():
            param.data.copy_(self.backup[name])


def train(model, loader):
    model, ema = model.cuda(), EMA(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    for x, y, u in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
            ema.apply(model)  # expect: AMP410
            with torch.no_grad():
                target = model(u)
            ema.restore(model)
            loss = loss + F.mse_loss(model(u), target)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
