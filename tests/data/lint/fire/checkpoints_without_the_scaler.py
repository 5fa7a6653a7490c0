import torch


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def save(self, path):
        state = dict(model=self.model.state_dict(), optimizer=self.optimizer.state_dict())  # expect: AMP203
        torch.save(state, path)

    def save_piecewise(self, path):
        state = {"model": self.model.state_dict()}
        state["optimizer"] = self.optimizer.state_dict()  # expect: AMP203
        torch.save(state, path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])  # expect: AMP203
