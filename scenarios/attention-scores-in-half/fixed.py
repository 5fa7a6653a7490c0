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
        scale = 1 / (255.0 * math.sqrt(q.size(-1)))
        mixed = F.scaled_dot_product_attention(q, k, pixels.to(q.dtype), scale=scale)
        return self.head(pixels + mixed)


def train(task):
    model = RowAttention(**task.modules).cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scaler = GradScaler("cuda")

    for images, labels in task.batches:
        optimizer.zero_grad()
        with autocast("cuda"):
            loss = F.cross_entropy(model(images.cuda()), labels.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
