import time

import torch

from .compiling import try_compile_model, warmup_model


def measure(model, x, y):
    started = time.time()
    model, ok = try_compile_model(model)
    compiling = time.time() - started
    started = time.time()
    warmup_model(model, x)
    warming = time.time() - started
    with torch.autocast("cuda"):
        loss = torch.nn.functional.mse_loss(model(x), y)
    return loss, ok, compiling, warming
