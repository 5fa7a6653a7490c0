import torch
import torch.nn as nn
from torch.amp import GradScaler, autocast


class Trainer:
    def __init__(self, detector):
        self.detector = detector.to("cuda")
        self.criterion = nn.BCELoss()
        self.optimizer = torch.optim.Adam(self.detector.parameters(), lr=1e-2)
        self.scaler = GradScaler("cuda")

    def train_step(self, image, there):
        self.optimizer.zero_grad()
        with autocast("cuda"):
            logits = self.detector(image)
        loss = self.criterion(torch.sigmoid(logits.float()), there)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(task):
    trainer = Trainer(task.modules["detector"])
    for image, there in task.batches:
        trainer.train_step(image.to("cuda"), there.to("cuda"))
