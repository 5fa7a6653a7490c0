import torch
import torch.nn.functional as F


def shuffled(*tensors):
    order = torch.randperm(len(tensors[0]))
    return tuple(tensor[order] for tensor in tensors)


class Trainer:
    def __init__(self, model, device):
        self.model, self.device = model.to(device), device
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=5e-3)
        self.scaler = torch.amp.GradScaler(device.type)

    def step(self, features, benign):
        with torch.amp.autocast(self.device.type):
            loss = F.binary_cross_entropy_with_logits(self.model(features), benign)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(task):
    trainer = Trainer(task.modules["model"], task.device)
    for batch in task.batches:
        features, benign = shuffled(*batch)
        trainer.step(features.to(task.device), benign.to(task.device))
