"""An accelerate loop that unscales by itself before it looks at its gradients."""

import torch
from accelerate import Accelerator


class Trainer:
    def __init__(self, model, loader, precision):
        self.accelerator = Accelerator(mixed_precision=precision)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.model, self.optimizer, self.loader = self.accelerator.prepare(model, self.optimizer, loader)

    def fit(self):
        for x, y in self.loader:
            self.optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(self.model(x), y)
            self.accelerator.backward(loss)
            self.accelerator.unscale_gradients(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    parameter.grad.add_(parameter, alpha=1e-4)
            self.optimizer.step()

    def save(self, path):
        self.accelerator.wait_for_everyone()
        torch.save(self.accelerator.unwrap_model(self.model).state_dict(), path)
