import torch

from checkpoint import WholeManager
from engine import Engine


class Trainer:
    def __init__(self, model, loader, folder):
        self.model, self.loader = model.cuda(), loader
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")
        self.engine = Engine(self.model, self.optimizer, self.scaler)
        self.checkpoint = WholeManager(self.model, self.optimizer, scaler=self.scaler, folder=folder)

    def train(self, epochs):
        start = self.checkpoint.load_checkpoint()
        for epoch in range(start, epochs):
            self.engine.train_one_epoch(self.loader)
            self.checkpoint.save_checkpoint(epoch)
