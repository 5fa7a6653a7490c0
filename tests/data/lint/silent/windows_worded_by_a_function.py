"""Windows whose test another function words, each divided."""

import torch


def should_step(i, accum, n):
    return (i + 1) % accum == 0 or i + 1 == n


def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    optimizer.zero_grad(set_to_none=True)
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x.cuda()), y.cuda()) / accum
        scaler.scale(loss).backward()
        if should_step(i, accum, len(loader)):
            scaler.unscale_(optimizer)
        if should_step(i, accum, len(loader)):
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)


class Trainer:
    def __init__(self, model, every):
        self.model, self.every, self.turn = model, every, 0
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    @property
    def shows(self):
        return self.turn % self.every == 0

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(self.model(x.cuda()), y.cuda())
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.turn += 1
            if self.shows:
                print(self.turn)
