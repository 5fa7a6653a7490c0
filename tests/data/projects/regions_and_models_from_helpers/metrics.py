import torch


def by_name(models, loader):
    [model.eval() for model in models.values()]
    for x in loader:
        print(models["head"](models["body"](x)))


def unwrapped(model, loader):
    bare = model.module if hasattr(model, "module") else model
    with torch.autocast("cuda", enabled=False):
        return [bare(x) for x in loader]
