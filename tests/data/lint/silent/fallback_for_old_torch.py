import torch


def make(device):
    try:
        from torch.amp import GradScaler as Scaler

        scaler = Scaler("cuda", enabled=device == "cuda")
    except Exception:
        scaler = torch.cuda.amp.GradScaler(enabled=device == "cuda")
    return scaler
