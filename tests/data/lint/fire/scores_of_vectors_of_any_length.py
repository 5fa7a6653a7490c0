"""Normalizing one side leaves the products without a limit, and a large factor takes cosines anywhere."""

import torch
import torch.nn.functional as F

layer = torch.nn.Linear(8, 8).cuda()


def contrast(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            features = F.normalize(model(x), dim=1)
            weights = torch.exp(model(x) @ features.T / 0.07)
            one = weights / weights.sum(1, keepdim=True)  # expect: AMP401
            weights = torch.exp(features @ features.T * 100.0)
            loss = (one * (weights / weights.sum(1, keepdim=True))).mean()  # expect: AMP401
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


@torch.no_grad()
def attend(loader, values, temperature):
    for x in loader:
        with torch.autocast("cuda"):
            scores = torch.matmul(layer(x), layer(x).transpose(1, 2))
            yield torch.matmul(F.softmax(scores / temperature, dim=1), values)  # expect: AMP412
