import torch
import torch.nn.functional as F


def train(model, loader, criterion):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            out = model(x)
            loss = F.mse_loss(out, y) * 1e6 + criterion(out, y) * 1e6
            scores = out.softmax(-1) * 1e5
            wide = out.float() * 1e5 + 1e6
            small = out * 100.0 + 1e-8
            count = x.shape[0] * 100000
        with torch.autocast("cuda", dtype=torch.float16, enabled=False):
            plain = model(x) * 1e6
