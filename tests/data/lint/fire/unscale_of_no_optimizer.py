import torch


class Precision:
    def __init__(self, enabled=True):
        self.enabled = enabled
        self.scaler = torch.amp.GradScaler("cuda", enabled=enabled) if enabled else None

    def backward(self, loss):
        if self.enabled and self.scaler is not None:
            self.scaler.scale(loss).backward()
        else:
            loss.backward()

    def clip_gradients(self, parameters, max_norm):
        if self.enabled and self.scaler is not None:
            self.scaler.unscale_(parameters[0].grad.data.device)
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)

    def step(self, optimizer):
        if self.enabled and self.scaler is not None:
            self.scaler.step(optimizer)
        else:
            optimizer.step()

    def update(self):
        if self.enabled and self.scaler is not None:
            self.scaler.update()

class Trainer:
    def __init__(self, model, config):
        self.model, self.grad_clip, self.accum = model, config["clip"], config["accum"]
        self.precision = Precision(enabled=config["amp"])
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1.0)

    def training_step(self, batch):
        for micro in range(self.accum):
            with torch.autocast("cuda"):
                loss = self.model(batch[micro :: self.accum]) / self.accum
            self.precision.backward(loss)
        if self.grad_clip > 0:
            self.precision.clip_gradients(self.model.parameters(), self.grad_clip)
        self.precision.step(self.optimizer)
        self.precision.update()
        self.optimizer.zero_grad(set_to_none=True)

    def train(self, loader):
        for batch in loader:
            loss = self.training_step(batch)
            self.scheduler.step()  # expect: AMP114
