"""The function gets both, casts the model, and trains it."""

import torch


def train(model, loader, optimizer, epochs, device):
    model.to(device).half()  # expect: AMP301
    for _ in range(epochs):
        model.train()
        for x, y in loader:
            loss = torch.nn.functional.cross_entropy(model(x.to(device).half()), y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def teacher_is_half(model, teacher, loader, optimizer):
    teacher.half()
    model.train()
    for x in loader:
        loss = torch.nn.functional.mse_loss(model(x), teacher(x.half()).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def both_train(model, head, loader, optimizer):
    model.half()
    model.train()
    head.train()
    for x in loader:
        loss = head(model(x.half()).float()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def by_an_optimizer_of_its_own(model, loader, optimizer):
    model.half()
    model.train()
    for x in loader:
        loss = model(x.half()).float().mean()
        optimizer.zero_grad()
        optimizer.backward(loss)
        optimizer.step()


def float_again(model, loader, optimizer):
    model.half()
    evaluate(model, loader)
    model.float()
    model.train()
    for x in loader:
        optimizer.zero_grad()
        model(x).mean().backward()
        optimizer.step()


def evaluate(model, loader):
    return [model(x.half()) for x in loader]
