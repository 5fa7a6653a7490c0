"""What was moved to the device is read there, and a helper that only averages judges nothing."""

import torch


def counted(model, loader, optimizer):
    seen = 0
    for x, y in loader:
        y = y.cuda()
        seen += (y > 0).sum().item()  # expect: AMP502
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):  # expect: AMP302
            loss = model(x.cuda(), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return seen


def averaged(model, loader, optimizer, meter):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x.cuda(), y.cuda())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        value = loss.item()  # expect: AMP502
        shown = meter.average(value)
        print(shown)
