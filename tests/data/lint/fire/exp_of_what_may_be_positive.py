import torch


def energy(features, temperature):
    weights = torch.exp(-features / temperature)  # expect: AMP407
    return weights / weights.sum(-1, keepdim=True)  # expect: AMP401


def cubes(features):
    weights = torch.exp(-(features**3))  # expect: AMP407
    return weights / weights.sum(-1, keepdim=True)  # expect: AMP401


def evaluate(loader):
    layer = torch.nn.Linear(8, 8).cuda()
    for x, _ in loader:
        with torch.autocast("cuda"):
            out = layer(x)
        print(energy(out, 0.1), cubes(out))
