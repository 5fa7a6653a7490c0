"""Fabric scales the loss and clips true gradients; an undecided precision leaves the loop's own scaler alone."""

import torch
from lightning.fabric import Fabric


def train(model, loader):
    fabric = Fabric(accelerator="cuda", precision="16-mixed")
    fabric.launch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model, optimizer = fabric.setup(model, optimizer)
    loader = fabric.setup_dataloaders(loader)
    for step, (x, y) in enumerate(loader):
        accumulating = step % 4 != 3
        with fabric.no_backward_sync(model, enabled=accumulating):
            loss = torch.nn.functional.cross_entropy(model(x), y)
            fabric.backward(loss / 4)
        if not accumulating:
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
            optimizer.zero_grad()
    fabric.save("last.ckpt", {"model": model, "optimizer": optimizer})


def warm_up(model, loader, optimizer):
    fabric = Fabric()
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        fabric.backward(scaler.scale(loss))
        scaler.step(optimizer)
        scaler.update()
