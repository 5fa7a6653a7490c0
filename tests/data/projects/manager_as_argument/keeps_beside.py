import torch

from checkpoint import CheckpointManager


class Trainer:
    def __init__(self, model, loader, checkpoint_manager: CheckpointManager):
        self.model, self.loader, self.checkpoint_manager = model.cuda(), loader, checkpoint_manager
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def train(self, epochs):
        for epoch in range(epochs):
            for x, y in self.loader:
                self.optimizer.zero_grad()
                with torch.autocast("cuda"):
                    loss = self.model(x.cuda(), y.cuda())
                self.scaler.scale(loss).backward()
                self.scaler.step(self.optimizer)
                self.scaler.update()
            self.checkpoint_manager.save(epoch=epoch, model=self.model, optimizer=self.optimizer)
        self.save_amp_state(epoch)

    def save_amp_state(self, epoch):
        torch.save(getattr(self, "scaler").state_dict(), f"amp{epoch}.pt")

    def load_amp_state(self, state):
        if state:
            getattr(self, "scaler").load_state_dict(state)

    def resume(self, path):
        found = self.checkpoint_manager.load(path, model=self.model, optimizer=self.optimizer)
        self.load_amp_state(found["amp"])


def create_trainer(model, loader, folder):
    manager = CheckpointManager(folder)
    return Trainer(model=model, loader=loader, checkpoint_manager=manager)
