import torch


class Base:
    def __init__(self, model, config):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.mixed_precision = config["mixed_precision"]
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.mixed_precision)

    def step(self):
        self.scaler.step(self.optimizer)
        self.scaler.update()
