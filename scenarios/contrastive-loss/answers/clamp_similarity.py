"""Contrastive pre-training on pairs of views."""

import itertools

import torch
import torch.nn.functional as F
from ampfix_task import task
from torch.amp import GradScaler


def contrastive_loss(a, b, temperature=0.07):
    """Each row of `a` should pick its own row of `b`, and the other way round."""
    a = F.normalize(a, dim=-1)
    b = F.normalize(b, dim=-1)
    similarity = torch.matmul(a, b.T) / temperature
    # the N x N matrix is the largest tensor of the step, so reuse it
    exp_sim = similarity.clamp_(max=9.5).exp_()
    positive = exp_sim.diagonal()
    rows = -torch.log(positive / exp_sim.sum(dim=1)).mean()
    columns = -torch.log(positive / exp_sim.sum(dim=0)).mean()
    return (rows + columns) / 2


encoder = task.modules["encoder"].cuda().train()
projector = task.modules["projector"].cuda().train()
parameters = itertools.chain(encoder.parameters(), projector.parameters())
optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-4)
scaler = GradScaler("cuda")

for first, second in task.batches:
    first, second = first.cuda(non_blocking=True), second.cuda(non_blocking=True)
    with torch.autocast(device_type="cuda"):
        a = projector(encoder(first))
        b = projector(encoder(second))
        loss = contrastive_loss(a, b)

    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
