import torch


class CheckpointManager:
    def __init__(self, model, optimizer, folder):
        self.model, self.optimizer, self.folder = model, optimizer, folder

    def save_checkpoint(self, epoch):
        state = {"epoch": epoch, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state, f"{self.folder}/last.pt")

    def load_checkpoint(self):
        state = torch.load(f"{self.folder}/last.pt")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        return state["epoch"]


class WholeManager(CheckpointManager):
    def __init__(self, model, optimizer, scaler, folder):
        super().__init__(model, optimizer, folder)
        self.scaler = scaler

    def save_checkpoint(self, epoch):
        state = {"epoch": epoch, "optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}
        torch.save(state, f"{self.folder}/last.pt")

    def load_checkpoint(self):
        state = torch.load(f"{self.folder}/last.pt")
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        return state["epoch"]
