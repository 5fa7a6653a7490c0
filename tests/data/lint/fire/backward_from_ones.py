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
