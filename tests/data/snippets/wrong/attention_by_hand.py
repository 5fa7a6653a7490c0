import math

import torch


def attend(q, k, v, width):
    with torch.autocast("cuda"):
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(width)
        weights = torch.softmax(scores, dim=-1)
        return torch.matmul(weights, v)
