import functools

import torch
import torch as th
import torch.cuda.amp as tamp
from torch import cuda
from torch.cuda.amp import autocast as ac
from torch.cuda.amp import custom_bwd, custom_fwd


class Square(torch.autograd.Function):
    @staticmethod
    @custom_fwd  # expect: AMP601
    def forward(ctx, x):
        return x * x

    @staticmethod
    @custom_bwd  # expect: AMP601
    def backward(ctx, grad):
        return grad


class Trainer:
    def __init__(self):
        self.autocast = functools.partial(tamp.autocast, dtype=torch.float16)  # expect: AMP601
        self.scaler = cuda.amp.GradScaler()  # expect: AMP601

    @ac()  # expect: AMP601
    def forward(self, x):
        with th.cpu.amp.autocast():  # expect: AMP601
            return x, th.get_autocast_gpu_dtype()  # expect: AMP601
