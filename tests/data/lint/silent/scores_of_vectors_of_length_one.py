"""Products of normalized vectors are cosines, which reach no limit."""

import torch
import torch.nn.functional as F


def contrast(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            features = F.normalize(model(x), dim=1)
            weights = torch.exp(features @ features.T)
            one = weights / weights.sum(1, keepdim=True)
            others = model(x)
            others = others / others.norm(dim=1, keepdim=True)
            weights = torch.exp(others @ others.t())
            loss = (one * weights / weights.sum(1, keepdim=True)).mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


@torch.no_grad()
def look_up(model, loader, gallery, values, temperature):
    for x in loader:
        with torch.autocast("cuda"):
            similar = torch.matmul(model.image_encoder(x), gallery.T)
            yield torch.matmul(F.softmax(similar / temperature, dim=1), values)
