import torch


@torch.inference_mode()
def reconstructions(model, loader):
    model.eval()
    return model(next(iter(loader))[0])


@torch.no_grad()
def labels(model, x):
    return model(x).argmax(1)


@torch.no_grad()
def summary(model, size):
    x = torch.randn(2, 3, size, size)
    out = model(x.to("cuda"))
    print(out.shape)
