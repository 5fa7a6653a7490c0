import torch
from torch.nn.utils import clip_grad_norm_

def make_scaler(on=True):
    return torch.amp.GradScaler("cuda", enabled=on)

def clip(model, limit):
    return clip_grad_norm_(model.parameters(), limit)

def prepare(s, o):
    s.unscale_(o)

shared = make_scaler()
