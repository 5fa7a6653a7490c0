import contextlib
import functools

import torch


def half(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        with torch.autocast("cuda", dtype=torch.float16):
            return function(*args, **kwargs)

    return inner


@contextlib.contextmanager
def region(on=True):
    with torch.autocast("cuda", dtype=torch.float16, enabled=on):
        yield


@contextlib.contextmanager
def stepping(scaler, optimizer, loss):
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    yield
    scaler.step(optimizer)
    scaler.update()


class Region:
    def __init__(self):
        self.inner = torch.autocast("cuda", dtype=torch.float16)

    def __enter__(self):
        self.inner.__enter__()
        return self

    def __exit__(self, *error):
        return self.inner.__exit__(*error)


def quiet(function):
    return function
