import torch


def train_epoch(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def main(model, loader, optimizer, epochs):
    for _ in range(epochs):
        train_epoch(model, loader, optimizer, torch.amp.GradScaler("cuda"))  # expect: AMP202


def by_keyword(model, loader, optimizer, epochs):
    for _ in range(epochs):
        train_epoch(model, loader, optimizer=optimizer, scaler=torch.amp.GradScaler("cuda"))  # expect: AMP202


def folds(builds, loader):
    for build in builds:
        model = build()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        train_epoch(model, loader, optimizer, torch.amp.GradScaler("cuda"))


def once(model, loader, optimizer):
    train_epoch(model, loader, optimizer, torch.amp.GradScaler("cuda"))


def without(model, loader, optimizer, epochs):
    for _ in range(epochs):
        train_epoch(model, loader, optimizer, torch.amp.GradScaler("cuda", enabled=False))
