import torch


def flagged(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        is_last = (i + 1) % every == 0
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # expect: AMP115
        if is_last:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def counted(model, loader, optimizer, limit):
    scaler, seen = torch.amp.GradScaler("cuda"), 0
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)  # expect: AMP116
        with torch.autocast("cuda"):
            loss = model(x, y) / limit
        scaler.scale(loss).backward()
        seen += 1
        if seen < limit:
            continue
        scaler.step(optimizer)
        scaler.update()
        seen = 0
