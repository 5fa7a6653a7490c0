import torch


class Trainer:
    scaler = None

    def train_epoch(self, model, optimizer, loader):
        if self.scaler is None:
            self.scaler = torch.amp.GradScaler("cuda")
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(optimizer)
            self.scaler.update()
