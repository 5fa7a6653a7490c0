import torch


class Engine(torch.nn.Module):
    def fit(self, loader):
        for x, y in loader:
            self.executor.scaler.scale(self.model(x, y)).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # expect: AMP101
            self.executor.scaler.step(self.optimizer)
            self.executor.scaler.update()
            self.optimizer.zero_grad()
