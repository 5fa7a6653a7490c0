import torch


class Trainer:
    def __init__(self, model, optimizer, args):
        self.model, self.optimizer, self.args = model, optimizer, args
        self.scaler = torch.cuda.amp.GradScaler(enabled=args.fp16)

    def fit(self, loader):
        for x, y in loader:
            loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            if self.args.fp16:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
