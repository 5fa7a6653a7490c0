import argparse

import torch

from engine import train_one_epoch


def main(model, loader):
    parser = argparse.ArgumentParser()
    parser.add_argument("--amp", action="store_true")
    args = parser.parse_args()
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(9):
        train_one_epoch(model, loader, optimizer, args.amp)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")  # expect: AMP203
