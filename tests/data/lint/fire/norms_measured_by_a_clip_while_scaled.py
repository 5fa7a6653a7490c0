import torch


def train(model, loader, optimizer, log, use_amp):
    scaler = torch.amp.GradScaler("cuda") if use_amp else None
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        if use_amp:
            scaler.scale(loss).backward()
            norm = torch.nn.utils.clip_grad_norm_(  # expect: AMP102
                list(model.parameters()), max_norm=float("inf")
            )
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=float("inf"))
            optimizer.step()
        log.log({"norm": norm.item() if isinstance(norm, torch.Tensor) else norm})


def clips_after_all(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, norm_type=float("inf"))  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()
