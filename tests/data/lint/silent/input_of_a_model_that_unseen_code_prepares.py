import torch
import torch.nn.functional as F
from helpers import prepare


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(x)


def train(loader):
    net = Net().cuda()
    prepare(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.mse_loss(net(x.half()).float(), y)
        loss.backward()
        optimizer.step()
