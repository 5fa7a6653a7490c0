import math

import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


class RowAttention(torch.nn.Module):
    def __init__(self, query, key, head):
        super().__init__()
        self.query, self.key, self.head = query, key, head

    def forward(self, images):
        pixels = images / 255.0
        q, k = self.query(images), self.key(images)
        scores = torch.matmul(q, k.transpose(-2, -1)) / (255.0 * math.sqrt(q.size(-1)))
        weights = F.softmax(scores, dim=-1)
        return self.head(pixels + torch.matmul(weights, pixels))


def train(task):
    model = RowAttention(**task.modules).cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scaler = GradScaler("cuda", enabled=False)

    for images, labels in task.batches:
        optimizer.zero_grad()
        with autocast("cuda", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(images.cuda()), labels.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
