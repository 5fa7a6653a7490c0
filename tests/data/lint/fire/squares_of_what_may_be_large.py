import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        z = self.fc(x)
        a = torch.relu(z)
        b = z.clamp(-1000, 1000)
        c = torch.tanh(z) * 300
        d = torch.sigmoid(z) + z
        e = z.clamp(min=-1)
        total = (a * a).sum(-1)  # expect: AMP406
        total = total + (b * b).sum(-1)  # expect: AMP406
        total = total + (c * c).sum(-1)  # expect: AMP406
        total = total + (d * d).sum(-1)  # expect: AMP406
        return total + (e * e).sum(-1)  # expect: AMP406


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
