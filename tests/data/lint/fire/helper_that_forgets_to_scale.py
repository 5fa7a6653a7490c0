"""A helper that leaves the loss as it is, beside one that steps through the scaler it is handed."""

import torch


def forward_backward(model, x, y, scaler):
    with torch.autocast("cuda", dtype=torch.float16, enabled=scaler is not None):
        loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()  # expect: AMP108


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
