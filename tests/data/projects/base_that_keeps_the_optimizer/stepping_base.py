import torch


class SteppingTrainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def train_step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


class SwitchedOffTrainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda", enabled=False)


class OptimizerWrapper:
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def load_state_dict(self, state):
        self.optimizer.load_state_dict(state["optimizer"])
