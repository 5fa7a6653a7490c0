"""Stochastic rounding keeps, on average, the updates that half weights would lose."""

import torch
from some_optimizers import StochasticAccumulator, Wanderer


def train(model, loader):
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    optimizer = Wanderer(model.parameters(), lr=1e-4)
    StochasticAccumulator.assign_hooks(model)
    for x, y in loader:
        loss = model(x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
