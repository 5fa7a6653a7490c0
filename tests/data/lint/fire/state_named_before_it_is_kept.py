import copy

import torch


class Queue:
    def put(self, checkpoint, path):
        self.waiting = (checkpoint, path)


def save(model, optimizer, queue, path, wrapped):
    optimizer_state = optimizer.base.state_dict() if wrapped else optimizer.state_dict()
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer_state,  # expect: AMP203
    }
    queue.put(checkpoint, path)


def train(model, loader, optimizer, queue):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    save(model, optimizer, queue, "last.pt", False)


def trial(model, x, optimizer):
    state = copy.deepcopy(optimizer.state_dict())
    model(x).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(state)
