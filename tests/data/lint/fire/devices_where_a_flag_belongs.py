"""torch.cuda.amp's autocast takes a flag first, and torch.amp's a device."""

import torch
import torch.amp as young
from torch.cuda import amp as old


class Scorer:
    def __init__(self, model, device):
        self.model = model
        self.device = torch.device(device)

    def by_what_it_is(self, x):
        with old.autocast(self.device):  # expect: AMP601, AMP602
            return self.model(x)


def by_name(model, x, device, device_type):
    with old.autocast(device):  # expect: AMP601, AMP602
        y = model(x)
    with old.autocast(device.type):  # expect: AMP601, AMP602
        y = model(y)
    with young.autocast(device), young.autocast(device_type=device_type):
        return model(y)


def flags(model, x, use_device, flag, kind):
    with old.autocast(use_device):  # expect: AMP601
        y = model(x)
    with old.autocast(flag), old.autocast(enabled=kind.type == "cuda"):  # expect: AMP601, AMP601
        return model(y)
