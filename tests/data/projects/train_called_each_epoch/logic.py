import torch


def train(model, loader, optimizer, device, mixed_precision=True, **kwargs):
    model.train()
    if mixed_precision:
        scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
    for x, y in loader:
        optimizer.zero_grad()
        if mixed_precision:
            with torch.autocast("cuda"):
                loss = torch.nn.functional.mse_loss(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


def train_to_the_end(model, loader, optimizer, epochs):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.mse_loss(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()


def fit(model, loader, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def training(model, stream, optimizer, max_steps):
    scaler = torch.amp.GradScaler("cuda")
    for step, (x, y) in enumerate(stream):
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if step == max_steps:
            break


def validation(model, loader):
    with torch.no_grad(), torch.autocast("cuda"):
        return sum(torch.nn.functional.mse_loss(model(x), y) for x, y in loader)
