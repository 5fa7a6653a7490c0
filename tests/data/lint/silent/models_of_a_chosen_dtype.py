"""A choice of float32 alone, what nothing trains, what is float32 again, and what is not seen."""

import torch

WIDE = {"fp32": torch.float32, "fp64": torch.float64}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def train(model, optimizer, loader):
    for x, y in loader:
        optimizer.zero_grad()
        model(x, y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def wide(Net, loader, args):
    dtype = WIDE[args.precision]
    model = Net().to("cuda", dtype=dtype)
    train(model, torch.optim.AdamW(model.parameters()), loader)


def frozen(Net, Teacher, loader, args):
    dtype = DTYPES[args.precision]
    teacher = Teacher().to("cuda", dtype=dtype)
    teacher.requires_grad_(False)
    model = Net(teacher).cuda()
    train(model, torch.optim.AdamW(model.parameters()), loader)


def float_again(Net, loader, args):
    settings = {"torch_dtype": DTYPES[args.precision]}
    model = Net.from_pretrained("small", **settings)
    model.float()
    train(model, torch.optim.AdamW(model.parameters()), loader)


def handed(Net, loader, **settings):
    model = Net.from_pretrained("small", **settings)
    train(model, torch.optim.AdamW(model.parameters()), loader)


def quantized(Net, loader, args):
    settings = {"torch_dtype": torch.bfloat16}
    model = Net.from_pretrained("small", load_in_8bit=True, **settings)
    train(model, torch.optim.AdamW(model.parameters()), loader)
