import torch


@torch.no_grad()
def measure(model, loader):
    model.eval()
    for x in loader:
        yield model(x)


def summary(model, loader):
    return list(measure(model, loader))


@torch.no_grad()
def under_autocast(model, loader):
    for x in loader:
        with torch.autocast("cuda"):
            yield model(x)


@torch.no_grad()
def calibrate(model, loader):
    for x in loader:
        model(x)
