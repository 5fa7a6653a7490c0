import torch
from helpers import take_step


def train(model, loader, held_out, criterion, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(10):
        for x, y in loader:
            with torch.autocast("cuda", dtype=torch.float16):
                loss = criterion(model(x), y)
            take_step(loss, optimizer, scaler)
        model.eval()
        with torch.no_grad():
            print(sum(criterion(model(x), y) for x, y in held_out))  # expect: AMP304
        model.train()
