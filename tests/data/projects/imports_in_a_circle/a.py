import torch
from b import *
from b import clip, helper


class Trainer(Trainer):  # noqa: F821, F811
    pass


def step(scaler, optimizer, model, loss):
    scaler.scale(loss).backward()
    helper(model)  # expect: AMP101
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()


def value():
    return torch.amp.GradScaler("cuda")
