"""Representations are cached, their gradients are scaled, and a second forward hands these on."""

import torch
import torch.nn.functional as F


def cached(model, parts):
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.float16):
        return torch.cat([model(part) for part in parts]).float().requires_grad_(True)


def loss_of(leaf):
    return F.cross_entropy(leaf @ leaf.t(), torch.arange(len(leaf), device=leaf.device))


def handed_on(model, optimizer, scaler, batch, chunk):
    parts = batch.split(chunk)
    leaf = cached(model, parts)
    scaler.scale(loss_of(leaf)).backward()
    grads = leaf.grad.split(chunk)
    optimizer.zero_grad(set_to_none=True)
    for part, grad in zip(parts, grads):
        with torch.autocast("cuda", dtype=torch.float16):
            rep = model(part)
        rep.float().backward(gradient=grad)
    scaler.step(optimizer)
    scaler.update()


def surrogate(model, loader, optimizer, chunk):
    scaler = torch.amp.GradScaler("cuda")
    for batch in loader:
        optimizer.zero_grad(set_to_none=True)
        parts = batch.split(chunk)
        leaf = cached(model, parts)
        scaler.scale(loss_of(leaf)).backward()
        for part, g in zip(parts, leaf.grad.split(chunk)):
            with torch.autocast("cuda", dtype=torch.float16):
                rep = model(part)
            product = torch.dot(rep.float().flatten(), g.flatten())
            product.backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def in_one_line(model, optimizer, scaler, batch, chunk):
    leaf = cached(model, batch.split(chunk))
    scaler.scale(loss_of(leaf)).backward()
    with torch.autocast("cuda", dtype=torch.float16):
        rep = model(batch)
    (rep.float() * leaf.grad).sum().backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)


def by_autograd(model, optimizer, scaler, batch, chunk):
    leaf = cached(model, batch.split(chunk))
    scaler.scale(loss_of(leaf)).backward()
    grads = [p.grad for p in [leaf]]
    with torch.autocast("cuda", dtype=torch.float16):
        rep = model(batch)
    torch.autograd.backward(rep.float(), grads[0])
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
