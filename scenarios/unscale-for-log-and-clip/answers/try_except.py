import torch
import torch.nn as nn


class Trainer:
    def __init__(self, model):
        self.model = model.cuda()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.scaler = torch.cuda.amp.GradScaler()
        self.history = []

    def log_gradients(self):
        self.scaler.unscale_(self.optimizer)
        norms = [p.grad.norm() for p in self.model.parameters() if p.grad is not None]
        self.history.append(torch.stack(norms).norm())

    def clip_gradients(self):
        try:
            self.scaler.unscale_(self.optimizer)
        except RuntimeError:
            pass
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)

    def training_step(self, image, centre):
        self.optimizer.zero_grad()
        with torch.cuda.amp.autocast():
            loss = nn.functional.mse_loss(self.model(image), centre)
        self.scaler.scale(loss).backward()
        self.log_gradients()
        self.clip_gradients()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(task):
    trainer = Trainer(task.modules["model"])
    for image, centre in task.batches:
        trainer.training_step(image.cuda(), centre.cuda())
