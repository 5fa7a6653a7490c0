import torch
from torch import nn


def train(task):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = task.modules["net"].to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()

    for track, gesture in task.batches:
        track, gesture = track.to(device), gesture.to(device)
        optimizer.zero_grad()
        loss = criterion(net(track), gesture)
        loss.backward()
        optimizer.step()
