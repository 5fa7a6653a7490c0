import torch


def save_checkpoint(model, optimizer, path):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)


class BestSaver:
    def __init__(self, path):
        self.path, self.best = path, 0.0

    def step(self, model, optimizer, score):
        if score > self.best:
            save_checkpoint(model, optimizer, self.path)


class Keeper:
    def __call__(self, model, optimizer, path):
        self._write({"model": model, "optimizer": optimizer}, path)
        self._keep(optimizer, path)

    def _keep(self, optimizer, path):
        torch.save(optimizer.state_dict(), path)

    def _write(self, parts, path):
        torch.save(list(parts), path)
