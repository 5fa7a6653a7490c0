import torch

import engine
from metrics import calibrate, measure


def main(model, loader, validation):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(9):
        engine.train_one_epoch(model, loader, optimizer, scaler)
        print(list(measure(model, validation)))  # expect: AMP304
    calibrate(model, loader)
