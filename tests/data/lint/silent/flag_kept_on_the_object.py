import torch


class Trainer:
    def __init__(self, model, config, device):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())
        amp_enabled = bool(config.train.amp) and device.type == "cuda"
        self.amp_enabled = amp_enabled
        self.scaler = torch.amp.GradScaler("cuda", enabled=amp_enabled)

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=self.amp_enabled):
            loss = torch.nn.functional.cross_entropy(self.model(x), y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
