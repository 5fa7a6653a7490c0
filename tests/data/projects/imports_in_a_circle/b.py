from a import *
from a import step, value
from torch.nn.utils import clip_grad_norm_ as clip


def helper(model):
    clip(model.parameters(), 1.0)
