import torch

from engine import run_epoch


def main(model, loader, validation, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(9):
        run_epoch(model, loader, optimizer, scaler=scaler, use_amp=use_amp)
        run_epoch(model, validation, None)  # evaluates  # expect: AMP304
