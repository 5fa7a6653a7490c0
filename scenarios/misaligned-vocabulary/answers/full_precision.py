import torch
import torch.nn.functional as F
from torch import nn

ITEMS = 4160


def train(task):
    encoder = task.modules["encoder"].cuda()
    width = encoder[-2].out_features
    head = nn.Linear(width, ITEMS).cuda()
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=0.16 / width)
    scaler = torch.amp.GradScaler("cuda")

    for measured, item in task.batches:
        measured, item = measured.cuda(), item.cuda()
        optimizer.zero_grad()
        scores = head(encoder(measured))
        loss = F.cross_entropy(scores, item)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
