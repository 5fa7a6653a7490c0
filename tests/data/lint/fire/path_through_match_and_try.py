import torch


def train(model, loader, optimizer, mode):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        try:
            loss = model(x, y)
        except RuntimeError:
            continue
        scaler.scale(loss).backward()
        match mode:
            case "norm":
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
            case "value":
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_value_(model.parameters(), 1.0)
            case _:
                pass
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
