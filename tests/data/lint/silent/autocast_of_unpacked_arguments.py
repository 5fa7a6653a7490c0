import torch


def probe(model, optimizer, loader, autocast_kwargs):
    for x, y in loader:
        with torch.autocast(**autocast_kwargs):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
