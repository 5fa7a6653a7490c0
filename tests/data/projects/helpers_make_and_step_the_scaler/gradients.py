import torch


class Gradients:
    def __init__(self, clip):
        self.clip = clip

    def step(self, model, optimizer, scaler):
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), self.clip)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
