import torch
from torch.amp import custom_bwd, custom_fwd


class Twice(torch.autograd.Function):
    @staticmethod
    @custom_fwd(device_type="cuda")
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    @custom_bwd(device_type="cuda")
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return slope * 2


def train_step(scaler, x):
    with torch.autocast("cuda"):
        loss = Twice.apply(x).sum()
    scaler.scale(loss).backward()
