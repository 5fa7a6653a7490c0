import torch


class Base:
    def __init__(self, model, scaler=None):
        self.model, self.scaler = model, scaler
        self.optimizer = torch.optim.AdamW(model.parameters())

    def backward(self, loss):
        if self.scaler is not None:
            self.scaler.scale(loss).backward()
        else:
            loss.backward()

    def step(self):
        if self.scaler is not None:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
