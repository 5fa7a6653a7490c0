import torch


def train(model, loader, config):
    model.to("cuda", dtype=getattr(torch, config.dtype, torch.float32))
    optimizer = torch.optim.AdamW(model.parameters())
    inputs = torch.zeros(8, dtype=torch.bfloat16)
    for x, y in loader:
        model(x, inputs.float(), y).backward()
        optimizer.step()


def train_in(model, loader, config):
    model.to("cuda", dtype=getattr(torch, config.dtype))
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
