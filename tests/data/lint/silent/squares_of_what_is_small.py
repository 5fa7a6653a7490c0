import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.act = nn.Tanh()
        self.head = nn.Sequential(nn.Linear(8, 8), nn.Sigmoid())

    def forward(self, x):
        z = self.fc(x)
        a = torch.sigmoid(z)
        b = self.act(z)
        c = self.head(z)
        d = F.hardtanh(z)
        e = torch.sin(z)
        f = z.clamp(-1, 1)
        g = F.softmax(z, -1).half()
        h = 1 - a
        total = (a * a).sum(-1) + (b * b).sum(-1) + (c * c).sum(-1) + (d * d).sum(-1) + (e * e).sum(-1)
        total = total + (f * f).sum(-1) + (g * g).sum(-1) + (h * h).sum(-1) + a.mul(a).mean(-1) + (a * a * z).sum(-1)
        return total


def train(loader):
    model = Net().cuda()
    opt = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        opt.zero_grad()
        with torch.autocast("cuda"):
            loss = F.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
