import torch


def epoch(model, loader, optimizer, scaler=None):
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        if scaler is not None:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()


def main(model, loader, optimizer, settings):
    epoch(model, loader, optimizer)
    for _ in range(10):
        epoch(model, loader, optimizer, **settings)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")  # expect: AMP203
