"""On some paths the weights that the optimizer updates are half."""

import torch


class Trainer:
    def __init__(self, model, args):
        self.dtype = torch.float16 if args.fp16 else torch.float32
        self.model = model.to("cuda", self.dtype)  # expect: AMP301
        self.optimizer = torch.optim.AdamW(self.model.parameters())

    def step(self, x, y):
        loss = torch.nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def train(model, loader, args):
    weight_dtype = torch.float32
    if args.precision == "bf16":
        weight_dtype = torch.bfloat16
    model.to(args.device, dtype=weight_dtype)  # expect: AMP301
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
