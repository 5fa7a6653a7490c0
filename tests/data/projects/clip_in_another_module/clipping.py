import torch


def clip(parameters, bound):
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = torch.linalg.norm(torch.stack([torch.linalg.norm(g) for g in grads]))
    if norm > bound:
        for g in grads:
            g.mul_(bound / norm)
