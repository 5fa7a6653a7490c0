"""Groups of parameters that hold none of the half weights."""

import torch


def train(base, head, loader):
    base.half()
    groups = []
    for name, weight in head.named_parameters():
        groups.append({"params": weight})
    optimizer = torch.optim.SGD(groups, lr=0.1)
    for x, y in loader:
        head(base(x.half()).float(), y).backward()
        optimizer.step()


def train_what_is_added(model, adapted, loader):
    model.half()
    adapted(model)
    weights = []
    for weight in model.parameters():
        if weight.requires_grad:
            weights.append(weight)
    optimizer = torch.optim.SGD([{"params": weights}], lr=0.1)
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
