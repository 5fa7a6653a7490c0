import math

import torch
from torch.nn.utils import clip_grad_norm_


def only_measured(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        clip_grad_norm_(model.parameters(), math.inf)
        scaler.step(optimizer)
        scaler.update()


def only_tested(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        norm = clip_grad_norm_(model.parameters(), max_norm=torch.inf)
        if not torch.isfinite(norm):
            print("overflow")
        scaler.step(optimizer)
        scaler.update()


def logged_behind_unscale(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        norm = clip_grad_norm_(model.parameters(), max_norm=float("inf"))
        print(norm.item())
        scaler.step(optimizer)
        scaler.update()


def logged_over_the_scale(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        norm = clip_grad_norm_(model.parameters(), max_norm=float("inf"))
        print(norm.item() / scaler.get_scale())
        scaler.step(optimizer)
        scaler.update()
