from torch import nn


class Gate(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.score = nn.Linear(size, size)

    def forward(self, x, mask):
        return self.score(x).masked_fill(mask, -1e9).softmax(-1)
