"""Windows that sum losses: zeroed behind the step, on the turn after it, or under a count that moves on in between."""

import torch


def zeroed_behind(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    for turn, x in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model.loss(x).mean()
        scaler.scale(loss).backward()  # expect: AMP115
        if turn % every == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def zeroed_one_turn_later(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    for turn, x in enumerate(loader):
        if turn % every == 0:
            optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model.loss(x).mean()
        scaler.scale(loss).backward()  # expect: AMP115
        if (turn + 1) % every == 0:
            scaler.step(optimizer)
            scaler.update()


def counted_in_between(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    turn = 0
    for x in loader:
        if turn % every == 0:
            optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model.loss(x).mean()
        scaler.scale(loss).backward()  # expect: AMP115
        turn += 1
        if turn % every == 0:
            scaler.step(optimizer)
            scaler.update()
