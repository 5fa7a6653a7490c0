import torch


def with_a_name_for_none(model, loader, optimizer):
    scaler = None
    for epoch in range(10):
        named(model, loader, optimizer, scaler)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")


def named(model, loader, optimizer, scaler):
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


class LeftOver:
    """Its scaler is never used."""

    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.left_over_scaler = torch.amp.GradScaler("cuda")

    def step(self, x, y):
        self.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(self.model(x), y).backward()
        self.optimizer.step()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)
