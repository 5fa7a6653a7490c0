import functools

import torch


def amp_step(scaler, optimizer, loss):
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def backward(scaler, loss):
    scaler.scale(loss).backward()


def plain_step(scaler, optimizer, loss):
    loss.backward()
    optimizer.step()


def clip(limit, parameters):
    torch.nn.utils.clip_grad_norm_(parameters, limit)


def run(function, *args):
    function(*args)


clip_one = functools.partial(clip, 1.0)
