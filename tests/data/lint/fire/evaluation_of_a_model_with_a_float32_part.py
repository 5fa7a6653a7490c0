import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.parts, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        query, key, value = self.parts(x).float().chunk(3, -1)
        with torch.autocast("cuda", enabled=False):
            scores = F.softmax(query @ key.transpose(-2, -1) * 0.125, dim=-1)
            mixed = scores @ value
        return self.mix(mixed)


class Trainer:
    def __init__(self, loader, held_out):
        self.model = Attention(64).cuda()
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")
        self.loader, self.held_out = loader, held_out

    def fit(self):
        for epoch in range(10):
            for x in self.loader:
                self.optimizer.zero_grad()
                with torch.autocast("cuda"):
                    loss = self.model(x).mean()
                self.scaler.scale(loss).backward()
                self.scaler.step(self.optimizer)
                self.scaler.update()
            self.evaluate()

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        for x in self.held_out:
            print(self.model(x).mean())  # expect: AMP304
        self.model.train()
