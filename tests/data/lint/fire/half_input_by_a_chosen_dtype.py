"""The scaler's step has float32 weights, whatever dtype the flag chooses for its inputs."""

import torch


class Trainer:
    def __init__(self, exp, model, loader, args):
        self.exp, self.model, self.loader = exp, model, loader
        self.amp_training = args.fp16
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.scaler = torch.amp.GradScaler("cuda", enabled=args.fp16)
        self.data_type = torch.float16 if args.fp16 else torch.float32

    def train_one_iter(self):
        inps, targets = next(self.loader)
        inps = inps.to(self.data_type)  # expect: AMP305
        targets = targets.to(self.data_type)
        inps, targets = self.exp.preprocess(inps, targets)
        with torch.autocast("cuda", enabled=self.amp_training):
            loss = self.model(inps, targets)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
