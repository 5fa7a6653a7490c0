import torch
from precision import autocast_context


def _forward(model, images):
    output = model(images)
    return output[0] if isinstance(output, tuple) else output


def train_one_epoch(model, loader, optimizer, device):
    for x, y in loader:
        optimizer.zero_grad()
        with autocast_context(device, enabled=True):
            loss = torch.nn.functional.mse_loss(_forward(model, x), y)
        loss.backward()
        optimizer.step()


def train_in_float32(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(_forward(model, x), y).backward()
        optimizer.step()


def fit(model, loader, validation, optimizer, eval_fn):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(9):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.mse_loss(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        print(eval_fn(model, validation))


class Trainer:
    def __init__(self, model, optimizer):
        self.net = model.cuda()
        self.optimizer = optimizer
        self.scaler = torch.amp.GradScaler("cuda")

    def run(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.mse_loss(self.net(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
