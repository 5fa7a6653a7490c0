import torch


def train_clipped(model, loader, fp16):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if fp16 else None
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16, enabled=fp16):
            loss = model(x.cuda(), y.cuda())
        (scaler.scale(loss) if scaler is not None else loss).backward()
        if scaler is None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        else:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad(set_to_none=True)


def train_unscaled(model, loader, fp16):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if fp16 else None
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16, enabled=fp16):
            loss = model(x.cuda(), y.cuda())
        loss.backward()  # expect: AMP108
        if scaler is None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        else:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad(set_to_none=True)
