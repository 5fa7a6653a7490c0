import torch


class Manager:
    def __init__(self, folder, model, optimizer):
        self.folder, self.model = folder, model
        self.optimizer = optimizer

    def save(self, epoch):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, f"{self.folder}/{epoch}")


class Base:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)


def save_parts(path, epoch, **parts):
    state = {"epoch": epoch}
    for name, part in parts.items():
        state[name] = part.state_dict()
    torch.save(state, path)


def load_all(path, model, optimizers):
    state = torch.load(path)
    model.load_state_dict(state["model"])
    for optimizer, kept in zip(optimizers, state["optimizers"]):
        optimizer.load_state_dict(kept)
