import torch


@torch.no_grad()
def rollout(model, x, steps):
    model.eval()
    for _ in range(steps):
        x = x + model.decode(x)
    return x
