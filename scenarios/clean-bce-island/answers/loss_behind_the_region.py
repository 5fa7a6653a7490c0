import torch
from torch import nn
from torch.amp import GradScaler, autocast


class ProbabilityLoss(nn.Module):
    def __init__(self, smoothing):
        super().__init__()
        self.smoothing = smoothing
        self.loss = nn.BCELoss()

    def forward(self, probabilities, target):
        with autocast("cuda", enabled=False):
            target = target.float() * (1 - self.smoothing) + self.smoothing / 2
            return self.loss(probabilities.float(), target)


def train(task):
    model = task.modules["model"].cuda()
    criterion = ProbabilityLoss(smoothing=0.05)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scaler = GradScaler("cuda", init_scale=4096.0)

    for features, benign in task.batches:
        features, benign = features.cuda(), benign.cuda()
        optimizer.zero_grad()
        with autocast("cuda"):
            probabilities = model(features)
        loss = criterion(probabilities, benign)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
