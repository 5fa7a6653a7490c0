"""The frozen model is half itself, or of a dtype that is chosen elsewhere: its inputs have to be."""

import torch
from torch import nn
from transformers import AutoModel


def train(loader, epochs, weight_dtype):
    backbone = AutoModel.from_pretrained("facebook/dinov2-base", torch_dtype=torch.float16).cuda()
    encoder = AutoModel.from_pretrained("facebook/dinov2-base").cuda()
    encoder.to("cuda", weight_dtype)
    head = nn.Linear(768, 1000).cuda()
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    for _ in range(epochs):
        for x, y in loader:
            with torch.no_grad():
                features = backbone(x.cuda().half()).last_hidden_state[:, 0].float()
                features = features + encoder(x.cuda().half()).last_hidden_state[:, 0].float()
            loss = nn.functional.cross_entropy(head(features), y.cuda())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
