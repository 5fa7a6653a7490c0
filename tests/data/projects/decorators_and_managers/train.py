import contextlib

import torch
from amp import Region, half, quiet, region, stepping


@half
def loss_of(model, x, y):
    return model(x, y)


@quiet
def in_decorator(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_of(model, x, y)
        loss.backward()  # expect: AMP201
        optimizer.step()


def in_generator(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with region():
            loss = model(x, y)
        loss.backward()  # expect: AMP201
        optimizer.step()


def in_object(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with Region():
            loss = model(x, y)
        loss.backward()  # expect: AMP201
        optimizer.step()


def in_stack(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.autocast("cuda", dtype=torch.float16))
            loss = model(x, y)
        loss.backward()  # expect: AMP201
        optimizer.step()


def around_the_clip(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        with stepping(scaler, optimizer, loss):
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101


def around_the_clip_right(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        with stepping(scaler, optimizer, loss):
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
