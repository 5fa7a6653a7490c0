import torch


class Trainer:
    def __init__(self, model, use_amp, clip):
        self.model, self.clip = model, clip
        self.use_amp = use_amp
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = torch.amp.GradScaler("cuda") if use_amp else None

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=self.use_amp):
            loss = self.model(x, y)
        if self.use_amp:
            self.scaler.scale(loss).backward()
        else:
            loss.backward()
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        if self.use_amp:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
