import torch


def train_in_place(model, loader, fp16):
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
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad(set_to_none=True)


def train_by_a_name(model, loader, fp16):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if fp16 else None
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16, enabled=fp16):
            loss = model(x.cuda(), y.cuda())
        scaled = loss if scaler is None else scaler.scale(loss)
        scaled.backward()
        if scaler is None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        else:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad(set_to_none=True)


def train_by_the_flag(model, loader, fp16):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if fp16 else None
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16, enabled=fp16):
            loss = model(x.cuda(), y.cuda())
        (scaler.scale(loss) if fp16 else loss).backward()
        if not fp16:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        else:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad(set_to_none=True)


def step(optimizer, scaler, parameters, clip):
    if scaler is None:
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
    else:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        scaler.step(optimizer)
        scaler.update()
    optimizer.zero_grad(set_to_none=True)


def train_by_a_statement(model, loader, fp16):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if fp16 else None
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16, enabled=fp16):
            loss = model(x.cuda(), y.cuda())
        if scaler is not None:
            loss = scaler.scale(loss)
        loss.backward()
        step(optimizer, scaler, model.parameters(), 1.0)


def scaled(loss, scaler):
    return loss if scaler is None else scaler.scale(loss)


def train_by_a_helper(model, loader, fp16):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if fp16 else None
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16, enabled=fp16):
            loss = model(x.cuda(), y.cuda())
        scaled(loss, scaler).backward()
        if scaler is not None:
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if scaler is not None:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
