"""A trunk runs backward from the gradients that its heads left at its output: they carry the scale already."""

import torch


def train(encoder, heads, loader):
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()])
    scaler = torch.amp.GradScaler("cuda")
    for x, targets in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            z = encoder(x.cuda())
        shared = z.detach().requires_grad_(True)
        for head, target in zip(heads, targets):
            with torch.autocast("cuda"):
                loss = head(shared, target.cuda())
            scaler.scale(loss).backward()
        z.backward(shared.grad)
        scaler.step(optimizer)
        scaler.update()


def by_name(encoder, head, loader):
    optimizer = torch.optim.AdamW(encoder.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, target in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda"):
            z = encoder(x.cuda())
            loss = head(z.detach(), target)
        cached = torch.autograd.grad(scaler.scale(loss), z)[0]
        z.backward(gradient=cached)
        scaler.step(optimizer)
        scaler.update()
