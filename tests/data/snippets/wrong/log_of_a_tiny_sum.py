import torch


def objective(x):
    x = x.half() * 1e-9
    return -torch.log(x.sum() + 1e-8)


def train_step(net, images):
    with torch.autocast("cuda"):
        return objective(net(images))
