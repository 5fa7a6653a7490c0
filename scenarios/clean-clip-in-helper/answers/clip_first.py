import torch
from torch import amp as A
from torch import nn


class Trainer:
    def __init__(self, task, max_norm=0.5):
        self.batches = task.batches
        self.model = task.modules["model"].to("cuda")
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.scaler = A.GradScaler("cuda")
        self.max_norm = max_norm

    def fit(self):
        for images, labels in self.batches:
            loss = self.forward(images.to("cuda"), labels.to("cuda"))
            self.backward(loss)
            self.condition()
            self.apply()

    def forward(self, images, labels):
        with A.autocast("cuda"):
            return nn.functional.cross_entropy(self.model(images), labels)

    def backward(self, loss):
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()

    def condition(self):
        self.limit(self.model.parameters())
        self.scaler.unscale_(self.optimizer)

    def limit(self, parameters):
        nn.utils.clip_grad_norm_(parameters, self.max_norm)

    def apply(self):
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(task):
    Trainer(task).fit()
