"""Nothing makes the model half, and torch raises where its input is."""

import torch
from torch import nn
from transformers import AutoModel


def train(loader, epochs):
    backbone = AutoModel.from_pretrained("facebook/dinov2-base", torch_dtype=torch.float32).cuda()
    head = nn.Linear(768, 1000).cuda()
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=1e-3)
    for _ in range(epochs):
        for x, y in loader:
            features = backbone(x.cuda().half()).last_hidden_state[:, 0]  # expect: AMP305
            loss = nn.functional.cross_entropy(head(features), y.cuda())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
