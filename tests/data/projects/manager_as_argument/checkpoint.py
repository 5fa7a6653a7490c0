import torch


class CheckpointManager:
    def __init__(self, folder):
        self.folder = folder

    def save(self, epoch, model, optimizer):
        state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, f"{self.folder}/{epoch}.pt")

    def load(self, path, model, optimizer=None):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        if optimizer is not None:
            optimizer.load_state_dict(state["optimizer"])
        return state
