import torch
from torch import nn


class Manager:
    def __init__(self, net: nn.Module):
        self.net = net
        self.narrow = [p for name, p in net.named_parameters() if "norm" not in name]

    def convert(self):
        for weight in self.narrow:
            weight.data = weight.data.half()


def train(net, train_set, objective):
    manager = Manager(net)
    manager.convert()
    optim = torch.optim.Adam(net.parameters(), lr=1e-4)
    for images, labels in train_set:
        optim.zero_grad()
        loss = objective(net(images.half()), labels)
        loss.backward()
        optim.step()
