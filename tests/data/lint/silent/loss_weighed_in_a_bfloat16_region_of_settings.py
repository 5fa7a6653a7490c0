import torch

REGION = {"device_type": "cuda", "dtype": torch.bfloat16}
WEIGHT = 4096.0


def train(model, loader, optimizer):
    for x, y in loader:
        with torch.autocast(**REGION):
            loss = model(x, y)
        loss = loss * WEIGHT
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
