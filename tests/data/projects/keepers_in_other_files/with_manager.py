import torch

from keepers import Manager, save_parts


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")
        self.manager = Manager("runs", self.model, self.optimizer)

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def end_epoch(self, epoch):
        self.manager.save(epoch)  # expect: AMP203
        save_parts("last.pt", epoch, model=self.model, optimizer=self.optimizer)  # expect: AMP203
        save_parts("all.pt", epoch, model=self.model, optimizer=self.optimizer, scaler=self.scaler)
        save_parts("weights.pt", epoch, model=self.model)
