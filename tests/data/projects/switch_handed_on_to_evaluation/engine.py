import torch


def fit(model, loader, held_out, optimizer, device, use_amp=True):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=use_amp and device.type == "cuda"):
            loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    print(evaluate(model, held_out, use_amp=(use_amp and device.type == "cuda")))


def fit_in_float32(model, loader, held_out, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    print(evaluate(model, held_out, use_amp=True))


@torch.no_grad()
def evaluate(model, held_out, use_amp):
    model.eval()
    total = 0.0
    for x, y in held_out:
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=use_amp):
            total += torch.nn.functional.mse_loss(model(x), y).item()
    return total
