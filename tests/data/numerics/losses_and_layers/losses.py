import torch
import torch.nn.functional as F


def tag_loss(logits, tags):
    return F.binary_cross_entropy(torch.sigmoid(logits), tags)


def smooth(logits):
    return -torch.log_softmax(logits, dim=-1).mean()
