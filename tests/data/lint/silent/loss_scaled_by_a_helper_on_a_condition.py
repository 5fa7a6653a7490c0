"""Helpers that scale a loss on a condition, the scaler a parameter that nobody here builds."""

import math

import torch


def forward_backward(model, x, y, scaler):
    with torch.autocast("cuda", dtype=torch.float16, enabled=scaler is not None):
        loss = torch.nn.functional.cross_entropy(model(x), y)
    if scaler is not None:
        loss = scaler.scale(loss)
    loss.backward()


def optimizer_step(model, optimizer, scaler):
    if scaler is not None:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()


def run(model, loader, optimizer, scaler=None):
    for x, y in loader:
        forward_backward(model, x, y, scaler)
        optimizer_step(model, optimizer, scaler)
        optimizer.zero_grad(set_to_none=True)


def micro_batch(model, criterion, x, y, scaler, amp_dtype, divide):
    with torch.autocast("cuda", dtype=amp_dtype, enabled=amp_dtype is not None):
        loss = criterion(model(x), y)
    scaled = loss / divide
    if scaler:
        scaled = scaler.scale(scaled)
    scaled.backward()
    return loss.detach()


def finish_step(model, optimizer, scaler, max_norm):
    if scaler:
        scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm or math.inf)
    if scaler:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm


def train(model, criterion, loader, optimizer, scaler, amp_dtype, max_norm, accumulate):
    for i, (x, y) in enumerate(loader):
        micro_batch(model, criterion, x, y, scaler, amp_dtype, accumulate)
        if (i + 1) % accumulate == 0:
            finish_step(model, optimizer, scaler, max_norm)
