import torch

from engine import adapt as adapting
from engine import fit, run_fold, run_handed, run_one, run_whole


def main(model, loader, held_out):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(10):
        run_one(model, loader, optimizer=optimizer)
        run_one(model, held_out)
        run_handed(model, loader, optimizer=optimizer, scaler=scaler)
        run_handed(model, held_out)
        adapting(model, loader, optimizer)
    run_whole(model, loader, optimizer)


def cross_validate(build, folds):
    for loader in folds:
        model = build()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        run_fold(model, loader, optimizer)
        fit(model, loader, optimizer)
