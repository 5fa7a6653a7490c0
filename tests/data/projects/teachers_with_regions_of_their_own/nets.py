import torch
from torch import nn


class Teacher(nn.Module):
    def forward(self, x):
        with torch.no_grad(), torch.autocast("cuda"):
            return self.body(x)


class Student(nn.Module):
    def forward(self, x):
        return self.body(x)


class Sampler(nn.Module):
    def forward(self, x):
        return self.body(x)

    @torch.no_grad()
    def sample(self, x):
        with torch.autocast("cuda"):
            return self(x)
