import torch

TO_PASCAL = 101_325.0


class Head(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(8, 1)


head = torch.nn.Linear(8, 1).to("cuda")


def in_pascal(pressure):
    return pressure * TO_PASCAL  # expect: AMP308


def train(loader):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            pressure = in_pascal(head(x))
            shifted = (head(x) @ y).add(1e6)  # expect: AMP308
