import torch

from engine import train_epoch
from experiment import Experiment

experiment = Experiment("run")


def main(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cuda")
    for name, part in {"model": model, "optimizer": optimizer, "scaler": scaler}.items():
        experiment.load_state(part, name)
    for _ in range(10):
        train_epoch(model, loader, optimizer, scaler)
        for name, part in {"model": model, "optimizer": optimizer, "scaler": scaler}.items():
            experiment.save_state(part, name)
