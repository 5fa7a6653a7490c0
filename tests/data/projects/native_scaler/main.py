import torch
from utils import BadScaler, NativeScaler


def right(model, loader, optimizer):
    loss_scaler = NativeScaler()
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        optimizer.zero_grad()
        loss_scaler(loss, optimizer, clip_grad=1.0, parameters=model.parameters())


def clipped_again(model, loader, optimizer):
    loss_scaler = NativeScaler()
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        optimizer.zero_grad()
        loss_scaler(loss, optimizer, need_update=False)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        loss_scaler._scaler.step(optimizer)
        loss_scaler._scaler.update()


def reported_in_its_own_file(model, loader, optimizer):
    loss_scaler = BadScaler()
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        optimizer.zero_grad()
        loss_scaler(loss, optimizer, clip_grad=1.0, parameters=model.parameters())
