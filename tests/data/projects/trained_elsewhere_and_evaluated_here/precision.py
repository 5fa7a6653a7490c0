from contextlib import contextmanager

import torch


@contextmanager
def autocast_context(device, enabled):
    """Long enough to be parsed by itself: a region of bfloat16 on a GPU or on a CPU, or none, for what a
    `with` statement of another file runs."""
    if device.type == "cuda":
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=enabled):
            yield
    else:
        with torch.autocast("cpu", enabled=enabled):
            yield
