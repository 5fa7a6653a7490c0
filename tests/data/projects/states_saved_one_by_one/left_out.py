import torch

from engine import train_epoch
from experiment import Experiment


def save(model, optimizer):
    experiment.save_state(model, "model")
    experiment.save_state(optimizer, "optimizer")  # expect: AMP203


def main(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cuda")
    optimizer = experiment.load_state(optimizer, "optimizer")  # expect: AMP203
    for _ in range(10):
        train_epoch(model, loader, optimizer, scaler)
        save(model, optimizer)


if __name__ == "__main__":
    global experiment
    kept = Experiment("run")
    experiment = kept
    main(torch.nn.Linear(8, 8), [])
