import torch
from torch import nn


def train(task):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = task.modules["net"].to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    scaler = torch.amp.GradScaler(device)
    criterion = nn.CrossEntropyLoss()

    for track, gesture in task.batches:
        track, gesture = track.to(device), gesture.to(device)
        optimizer.zero_grad()
        with torch.autocast(device):
            loss = criterion(net(track), gesture)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
