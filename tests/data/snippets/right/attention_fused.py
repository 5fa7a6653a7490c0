import torch
import torch.nn.functional as F


def attend(q, k, v):
    with torch.autocast("cuda"):
        return F.scaled_dot_product_attention(q, k, v)
