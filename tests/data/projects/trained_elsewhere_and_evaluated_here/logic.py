import torch


def train(model, loader, optimizer, mixed_precision=True):
    for x, y in loader:
        optimizer.zero_grad()
        if mixed_precision:
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = torch.nn.functional.mse_loss(model(x), y)
        else:
            loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def validation(model, loader, mixed_precision=False):
    for x, y in loader:
        if mixed_precision:
            with torch.autocast("cuda", dtype=torch.bfloat16):
                out = model(x)
        else:
            out = model(x)
        print(out, y)


@torch.no_grad()
def test(model, loader, mixed_precision=True):
    for x, _ in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=mixed_precision):
            print(model(x))
