import torch
from storage import put_checkpoint, wrap_optimizer


def train(model, loader, path):
    optimizer = wrap_optimizer(torch.optim.SGD(model.parameters(), 0.1))
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(10):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        put_checkpoint(path, epoch, model.state_dict(), optimizer.state_dict())  # expect: AMP203
