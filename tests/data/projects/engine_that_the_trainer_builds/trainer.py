import torch

from checkpoint import CheckpointManager
from engine import Engine


class Trainer:
    def __init__(self, model, loader, folder):
        self.model, self.loader = model.cuda(), loader
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")
        self.engine = Engine(self.model, self.optimizer, self.scaler)
        self.checkpoint = CheckpointManager(model=self.model, optimizer=self.optimizer, folder=folder)

    def train(self, epochs):
        start = self.checkpoint.load_checkpoint()  # expect: AMP203
        for epoch in range(start, epochs):
            self.engine.train_one_epoch(self.loader)
            self.checkpoint.save_checkpoint(epoch)  # expect: AMP203
