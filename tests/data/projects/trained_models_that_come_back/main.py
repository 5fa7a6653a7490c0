import torch
from training import train_in_float32, train_model


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    return sum((model(x).argmax(1) == y).sum() for x, y in loader)  # expect: AMP304


@torch.no_grad()
def plain_accuracy(model, loader):
    model.eval()
    return sum((model(x).argmax(1) == y).sum() for x, y in loader)


def main(loader, test_loader):
    model, loss = train_model(loader)
    plain_model, loss = train_in_float32(loader)
    print(accuracy(model, test_loader), plain_accuracy(plain_model, test_loader))
