import torch
from mystery import Callbacks, Engine
from registry import build


class Trainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")
        self.callbacks = Callbacks()
        self.engine = Engine(self.scaler)

    def train(self, batch):
        self.optimizer.zero_grad()
        self.scaler.scale(self.model(batch)).backward()
        build("unscale")(self.scaler, self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def hooked(self, batch):
        self.optimizer.zero_grad()
        self.scaler.scale(self.model(batch)).backward()
        self.callbacks.run("after_backward", self)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # expect: AMP101
        self.scaler.step(self.optimizer)
        self.scaler.update()
