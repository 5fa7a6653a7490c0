import torch


def run_backward(scaler, loss):
    scaler.scale(loss).backward()


def train(model, loader, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16, enabled=use_amp):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        run_backward(scaler, loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()


def unscale_and_clip(scaler, optimizer, model):
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)


def train_past(model, loader, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16, enabled=use_amp):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        unscale_and_clip(scaler, optimizer, model)
        optimizer.step()  # expect: AMP106
        scaler.update()
