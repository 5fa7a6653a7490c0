import torch


class Trainer:
    def __init__(self, model, use_amp):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = torch.amp.GradScaler("cuda") if use_amp else None

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=self.scaler is not None):
            loss = self.model(x, y)
        if self.scaler is not None:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            loss.backward()
            self.optimizer.step()

    def save(self, path):
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.scaler is not None:
            state["amp"] = self.scaler.state_dict()
        torch.save(state, path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if "amp" in state and self.scaler is not None:
            self.scaler.load_state_dict(state["amp"])

    def export(self, path):
        torch.save({"weights": self.model.state_dict(), "classes": 10}, path)
