import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.loss_fn = nn.Linear(4, 4), nn.MSELoss()

    def forward(self, x):
        return self.body(x)

    def _process(self, batch, training, optimizer=None, scaler=None):
        x = batch.cuda()
        with torch.autocast("cuda", enabled=scaler.is_enabled() if scaler else False):
            loss = self.loss_fn(self(x), x)
        if training and optimizer is not None and scaler is not None:
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return loss.item()

    def fit(self, loader, held_out, optimizer, scaler):
        for epoch in range(10):
            self.train()
            for batch in loader:
                self._process(batch, True, optimizer, scaler)
            self.eval()
            with torch.no_grad():
                for batch in held_out:
                    print(self._process(batch, False, scaler=scaler))
