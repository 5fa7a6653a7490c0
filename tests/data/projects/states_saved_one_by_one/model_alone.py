import torch

from engine import train_epoch
from experiment import Experiment

experiment = Experiment("run")


def main(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(10):
        train_epoch(model, loader, optimizer, scaler)
        experiment.save_state(model, "model")
