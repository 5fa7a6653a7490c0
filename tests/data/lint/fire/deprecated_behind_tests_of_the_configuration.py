"""Deprecated names under tests of a configuration, which ask nothing about torch."""

import torch


def build(config):
    if hasattr(config, "amp") and config.amp:
        scaler = torch.cuda.amp.GradScaler()  # expect: AMP601
    else:
        scaler = None
    return scaler


def chosen(config, torch_dtype):
    if torch_dtype == torch.float16:
        return torch.cuda.amp.GradScaler()  # expect: AMP601
    return None
