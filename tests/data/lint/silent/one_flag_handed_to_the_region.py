"""The scaler and the region are switched alike, though the function that trains calls the flag by another name."""

import torch


def train(model, loader, optimizer, scaler, use_amp):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def main(args, model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    for _ in range(args.epochs):
        train(model, loader, optimizer, scaler, args.amp)


def on_the_device(args, model, loader, optimizer, device):
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp and device.type == "cuda")
    for _ in range(args.epochs):
        train(model, loader, optimizer, scaler, use_amp=args.amp)


class Trainer:
    def __init__(self, model, optimizer, amp):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda", enabled=amp)

    def epoch(self, loader, mixed):
        """Whoever calls this knows what the trainer was built with."""
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda", enabled=mixed):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
