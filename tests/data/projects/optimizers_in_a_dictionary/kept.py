import torch

from states import save_with_scaler


def train(model, loader, optimizers, epochs):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(epochs):
        for x, y in loader:
            optimizers["head"].zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizers["head"])
            scaler.update()
        save_with_scaler(model, optimizers, scaler, "last.pt")
