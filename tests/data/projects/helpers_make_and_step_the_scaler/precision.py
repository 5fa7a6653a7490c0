import torch


def make_scaler(enabled):
    return torch.amp.GradScaler("cuda", enabled=enabled)
