"""Deprecated names where the code asks for a torch that has the others."""

import torch
from torch import amp


def build(torch_ge_2_4):
    if hasattr(torch, "amp") and hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler("cuda")
    return torch.cuda.amp.GradScaler()


def chosen(torch_ge_2_4):
    return torch.amp.GradScaler("cuda") if torch_ge_2_4 else torch.cuda.amp.GradScaler()


def asked():
    return amp.GradScaler("cuda") if hasattr(amp, "GradScaler") else torch.cuda.amp.GradScaler()


def asked_of_both():
    if hasattr(torch.cuda, "amp") and not hasattr(torch, "GradScaler"):
        return torch.cuda.amp.GradScaler()
    return torch.GradScaler("cuda")


def tried_first():
    if hasattr(torch, "amp") and hasattr(torch.amp, "GradScaler"):
        try:
            return torch.amp.GradScaler("cuda")
        except Exception:
            pass
    if hasattr(torch.cuda, "amp") and hasattr(torch.cuda.amp, "GradScaler"):
        return torch.cuda.amp.GradScaler()
    return None
