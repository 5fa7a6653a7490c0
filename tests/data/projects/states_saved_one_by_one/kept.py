import torch

from engine import train_epoch
from experiment import Experiment

experiment = Experiment("run")


def save(model, optimizer, scaler):
    experiment.save_state(model, "model")
    experiment.save_state(optimizer, "optimizer")
    experiment.save_state(scaler, "scaler")


def main(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cuda")
    experiment.load_state(optimizer, "optimizer")
    experiment.load_state(scaler, "scaler")
    for _ in range(10):
        train_epoch(model, loader, optimizer, scaler)
        save(model, optimizer, scaler)
