"""bfloat16 is the CPU's alone here: the loop has float16's trouble, and no other."""

import torch


def train(model, loader, optimizer, device):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=torch.float16 if device.type == "cuda" else torch.bfloat16):
            loss = model(x, y)
        loss.backward()  # expect: AMP201
        optimizer.step()
