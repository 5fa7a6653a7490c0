import torch
from pair import Pair
from rollouts import rollout


def main(encoder, decoder, loader, val_loader):
    pair = Pair(encoder, decoder)
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        with torch.autocast("cuda"):
            pair.go(x, scaler)  # expect: AMP121
    pair.validate(val_loader)  # expect: AMP304


def imitate(model, loader, val_loader, game, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model.loss(x, y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    for x, y in val_loader:
        with torch.no_grad():
            print(rollout(model, x, 9))  # expect: AMP304


def play(model, loader, states, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model.loss(x, y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    while True:
        print(rollout(model, states, 9))
