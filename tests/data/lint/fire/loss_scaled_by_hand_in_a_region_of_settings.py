import torch

REGION = {"device_type": "cuda", "dtype": torch.float16}
SCALE = 4096.0


def train(model, loader, optimizer):
    for x, y in loader:
        with torch.autocast(**REGION):
            loss = model(x, y)
        loss = loss * SCALE
        loss.backward()  # expect: AMP205
        for p in model.parameters():
            if p.grad is not None:
                p.grad.div_(SCALE)
        optimizer.step()
        optimizer.zero_grad()
