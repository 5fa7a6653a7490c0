import torch

from optimizers import ClippingAdam


def train(model, loader):
    model = model.cuda()
    optimizer = ClippingAdam(model.parameters(), lr=1e-3, grad_clip=1.0)
    assert torch.cuda.get_device_capability() >= (8, 0)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
