import torch


def train(model, loader, config):
    dtype = getattr(torch, config.dtype, torch.bfloat16)
    model.to("cuda", dtype=dtype)  # expect: AMP301
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
