from functools import lru_cache

import torch

_SCALER = torch.amp.GradScaler("cuda")


def get_grad_scaler(device, enabled):
    if not enabled:
        return torch.amp.GradScaler(enabled=False)
    return torch.amp.GradScaler(device.type, enabled=True)


def choose_scaler(enabled):
    scaler = torch.amp.GradScaler("cuda") if enabled else None
    return scaler


@lru_cache
def one_scaler():
    return torch.amp.GradScaler("cuda")


def shared_scaler():
    return _SCALER


def no_scaler():
    return torch.amp.GradScaler(enabled=False)


def save_checkpoint(path, model, optimizer):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
