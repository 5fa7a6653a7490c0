import torch
from engine import train_one_epoch
from previews import labels, reconstructions, summary


def main(model, loader, unlabelled, device, sizes):
    optimizer = torch.optim.AdamW(model.parameters())
    for size in sizes:
        summary(model, size)
    for _ in range(9):
        train_one_epoch(model, loader, optimizer, device)
        grid = reconstructions(model, loader)  # expect: AMP304
        print(grid)
    for x in unlabelled:
        y = labels(model, x)
        train_one_epoch(model, [(x, y)], optimizer, device)
    for x in unlabelled:
        y = labels(model, x)
        train(model, x, y)
