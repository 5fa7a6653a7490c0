import torch
import torch.nn.functional as F
from torch import nn

ITEMS = 4099


def train(task):
    encoder = task.modules["encoder"].cuda()
    width = encoder[-2].out_features
    head = nn.Linear(width, ITEMS).cuda()
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=0.16 / width)

    for measured, item in task.batches:
        measured, item = measured.cuda(), item.cuda()
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            scores = head(encoder(measured))
            loss = F.cross_entropy(scores, item)
        loss.backward()
        optimizer.step()
