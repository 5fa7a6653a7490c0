import torch


class Checkpoints:
    def __init__(self, path):
        self.path = path

    def save(self, *, model, optimizer, step, scaler=None):
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        if scaler is not None:
            state["scaler"] = scaler.state_dict()
        torch.save(state, self.path)
