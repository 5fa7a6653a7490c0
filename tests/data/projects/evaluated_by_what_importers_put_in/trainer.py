import torch
from nets import build


class Trainer:
    def __init__(self, config, criterion, evaluator=None, counter=None, judge=None):
        self.model = build(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.criterion = criterion
        self.evaluator = evaluator
        self.counter = counter
        self.judge = judge
        self.scaler = torch.amp.GradScaler("cuda")

    def train(self, loader, held_out):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.criterion(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if self.evaluator is not None:
            print(self.evaluator.evaluate(self.model, held_out))  # expect: AMP304
        print(self.evaluator.report(self.model, held_out))
        print(self.counter.evaluate(self.model, held_out))
        print(self.judge.evaluate(self.model, held_out))
        with torch.autocast("cuda"):
            print(self.evaluator.evaluate(self.model, held_out))
