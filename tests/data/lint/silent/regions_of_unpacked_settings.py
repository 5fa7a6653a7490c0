import torch


def by_its_own(model, loader, optimizer):
    kwargs = {"device_type": "cuda", "dtype": torch.bfloat16}
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(**kwargs):
            loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def not_seen(model, loader, optimizer, cfg, **kwargs):
    ours = {"device_type": "cuda"}
    ours.update(cfg.amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(**kwargs), torch.autocast(**ours):
            loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def under_one_flag(model, loader, optimizer, use_amp):
    kwargs = {"device_type": "cuda", "dtype": torch.float16, "enabled": use_amp}
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(**kwargs):
            loss = model(x, y)
        if use_amp:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()


def of_the_caller(model, loader, optimizer, dtype=None):
    kwargs = {"device_type": "cuda"}
    if dtype is not None:
        kwargs["dtype"] = dtype
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(**kwargs):
            loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def called(model, loader, optimizer):
    of_the_caller(model, loader, optimizer, torch.bfloat16)
