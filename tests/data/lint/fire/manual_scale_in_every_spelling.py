import torch

FACTOR = 2.0**12


def undone_later(model, loader, optimizer):
    loss_scale = 2.0**10
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        loss *= loss_scale
        loss.backward()  # expect: AMP205
        for p in model.parameters():
            p.grad = p.grad / loss_scale
        optimizer.step()


def never_undone(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = FACTOR * model(x, y)
        loss.backward()  # expect: AMP205
        optimizer.step()
