import copy

import torch
from torch import nn


class Average:
    def __init__(self, source, target, decay):
        self.target, self.decay = target, decay
        self.target.load_state_dict(source.state_dict())

    @torch.no_grad()
    def follow(self, source):
        for mine, theirs in zip(self.target.parameters(), source.parameters()):
            mine.lerp_(theirs, 1 - self.decay)


def publish(model, path):
    small = copy.deepcopy(model).half()
    torch.save({"model": small.state_dict()}, path)


def train(task):
    model = task.modules["model"].to("cuda")
    average = Average(model, task.modules["average"].to("cuda").half(), decay=0.9)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cuda")
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

    for step, (images, labels) in enumerate(task.batches):
        optimizer.zero_grad()
        with torch.amp.autocast("cuda"):
            loss = criterion(model(images.to("cuda")), labels.to("cuda"))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        average.follow(model)
        if step % 20 == 19:
            publish(average.target, task.workdir / "published.pt")
