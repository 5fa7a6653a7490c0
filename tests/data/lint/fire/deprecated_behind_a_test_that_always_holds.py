"""Deprecated names under tests that every torch with regions answers with yes."""

import torch


def infer(model, x, device):
    with torch.no_grad():
        if hasattr(torch.cuda, "amp") and device.type == "cuda":
            with torch.cuda.amp.autocast():  # expect: AMP601
                return model(x)
        return model(x)


def build():
    if hasattr(torch.cuda.amp, "GradScaler"):
        return torch.cuda.amp.GradScaler()  # expect: AMP601
    return None
