import torch


def train(model, loader, optimizers, clip):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        for optimizer in optimizers:
            optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)  # expect: AMP101
        for index in range(len(optimizers)):
            scaler.unscale_(optimizers[index])
        for index in range(len(optimizers)):
            scaler.step(optimizers[index])
        scaler.update()
