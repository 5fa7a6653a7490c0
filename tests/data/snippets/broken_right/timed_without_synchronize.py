import time

import torch
from torch import nn
from torch.amp import GradScaler, autocast


class Trainer:
    def __init__(self, net):
        self.net = net.cuda()
        self.scaler = GradScaler("cuda")
        self.optim = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step(self, images, labels):
        start = time.perf_counter()
        self.optim.zero_grad()
        with autocast("cuda"):
            loss = nn.CrossEntropyLoss()(self.net(images), labels)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optim)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), max_norm=1.0)
        self.scaler.step(self.optim)
        self.scaler.update()
        spent = time.perf_counter() - start
        return loss.detach(), spent
