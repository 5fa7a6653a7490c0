"""A gradient of ones says nothing of a scale."""

import torch


def train(model, head, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            features = model(x)
            loss, extra = head(features, y)
        scaler.scale(loss).backward(retain_graph=True)
        extra.backward(torch.ones_like(extra))  # expect: AMP108
        scaler.step(optimizer)
        scaler.update()


def by_a_name_and_none(model, head, loader, optimizer, scaler):
    one = torch.tensor(1.0, device="cuda")
    minus_one = one * -1
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            features = model(x)
            loss, extra = head(features, y)
        scaler.scale(loss).backward(None, True)
        extra.backward(minus_one)  # expect: AMP108
        scaler.step(optimizer)
        scaler.update()


def norm_is_logged(model, head, loader, optimizer, scaler, log):
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            features = model(x)
            loss, extra = head(features, y)
        scaler.scale(loss).backward(retain_graph=True)
        extra.backward()  # expect: AMP108
        scaler.unscale_(optimizer)
        log(sum(p.grad.norm() for p in model.parameters()))
        scaler.step(optimizer)
        scaler.update()
