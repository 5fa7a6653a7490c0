import torch

AMP = True


def train(model, loader, optimizer, device, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        amp_on = bool(AMP and device == "cuda")
        with torch.autocast("cuda", enabled=amp_on):
            loss = model(x, y) / accum
        if amp_on:
            scaler.scale(loss).backward()
        else:
            loss.backward()
        if (i + 1) % accum == 0:
            if amp_on:
                scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            if amp_on:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
            optimizer.zero_grad()
