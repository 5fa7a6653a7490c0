import torch


def first(model, loader, optimizers, epochs):
    from states import log_all, restore_all, save_all

    scaler = torch.amp.GradScaler("cuda")
    restore_all(optimizers, "last.pt")  # expect: AMP203
    for _ in range(epochs):
        for x, y in loader:
            optimizers["head"].zero_grad()
            optimizers["body"].zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizers["head"])
            scaler.step(optimizers["body"])
            scaler.update()
        save_all(model, optimizers, "last.pt")  # expect: AMP203
        log_all(optimizers, "log.txt")


def second(model, loader, optimizers, epochs):
    from states import save_all

    for _ in range(epochs):
        for x, y in loader:
            model(x, y).backward()
            for one in optimizers.values():
                one.step()
                one.zero_grad()
        save_all(model, optimizers, "last.pt")
