"""Each region casts anew; a teacher of its own is swapped by nobody, and a first forward behind the swap casts first."""

import torch
import torch.nn.functional as F


def train(model, ema, teacher, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    for x, y, u in loader:
        optimizer.zero_grad()
        ema.apply(model)
        with torch.no_grad(), torch.autocast("cuda", dtype=torch.float16):
            target = model(u)
        ema.restore(model)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
            ema.copy_to(teacher)
            target = target + teacher(u)
            loss = loss + F.mse_loss(model(u), target)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


@torch.no_grad()
def compare(model, ema, loader):
    for x in loader:
        with torch.autocast("cuda"):
            ema.apply_shadow()
            out = model(x)
        with torch.autocast("cuda", cache_enabled=False):
            before = model(x)
            ema.restore()
            yield out, before, model(x)
