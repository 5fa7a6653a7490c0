import torch

from misc import NativeScaler


def zeroed_each_turn(model, optimizer, criterion, batches, accum):
    loss_scaler = NativeScaler()
    for i, (x, y) in enumerate(batches):
        optimizer.zero_grad()  # expect: AMP116
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y) / accum
        loss_scaler(loss, optimizer, parameters=model.parameters(), update_grad=(i + 1) % accum == 0)


def zeroed_behind_the_step(model, optimizer, criterion, batches, accum):
    loss_scaler = NativeScaler()
    for i, (x, y) in enumerate(batches):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y) / accum
        loss_scaler(loss, optimizer, parameters=model.parameters(), update_grad=(i + 1) % accum == 0)
        if (i + 1) % accum == 0:
            optimizer.zero_grad()
