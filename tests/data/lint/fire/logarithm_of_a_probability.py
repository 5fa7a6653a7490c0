"""Without a guard a softmax has a limit in float32 too, and in float16 a small guard is none."""

import torch
import torch.nn.functional as F

head = torch.nn.Linear(640, 2000).cuda()


def train(loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, label in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            p = F.softmax(head(x), dim=1)
            loss = -(label * torch.log(p)).mean()  # expect: AMP402
            loss = loss - torch.log(torch.sigmoid(head(x)) + 1e-8).mean()  # expect: AMP402
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
