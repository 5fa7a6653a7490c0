import torch


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())

    def train_epoch(self, data):
        scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
        for x in data:
            self.optimizer.zero_grad()
            with torch.autocast("cuda", torch.float16):
                loss = self.model(x)
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()


class InParts(Trainer):
    def train_epoch(self, data):
        for part in data:
            super().train_epoch(part)
