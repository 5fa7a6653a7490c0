import torch
from mylib.optim import FP16Optimizer


def train(model, loader, args):
    optimizer = FP16Optimizer(model.parameters())
    scaler = torch.amp.GradScaler("cuda", enabled=False)
    for x, y in loader:
        loss = model(x, y)
        optimizer.backward(scaler.scale(loss))
        optimizer.clip_master_grads(1.0)
        scaler.step(optimizer)
        scaler.update()
