"""Weights that an option puts into a half, and an optimizer that trains them."""

import torch

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def train(model, optimizer, loader):
    for x, y in loader:
        optimizer.zero_grad()
        model(x, y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def built(Net, loader, args):
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    model = Net().to("cuda", dtype=dtype)  # expect: AMP301
    train(model, torch.optim.AdamW(model.parameters()), loader)


def looked_up(Net, loader, args):
    model = Net()
    model = model.to("cuda", dtype=DTYPES[args.precision])
    optimizer = torch.optim.AdamW(model.parameters())
    train(model, optimizer, loader)


def looked_up_by_name(Net, loader, args):
    dtype = DTYPES[args.precision]
    model = Net().to("cuda", dtype=dtype)  # expect: AMP301
    train(model, torch.optim.AdamW(model.parameters()), loader)


def loaded(Net, loader, args):
    settings = {"low_cpu_mem_usage": True}
    if args.bf16:
        settings["torch_dtype"] = torch.bfloat16
    model = Net.from_pretrained("small", **settings)  # expect: AMP301
    train(model, torch.optim.AdamW(model.parameters()), loader)


def loaded_by_choice(Net, loader, args):
    dtype = torch.bfloat16 if args.bf16 else torch.float32
    model = Net.from_pretrained("small", torch_dtype=dtype)  # expect: AMP301
    train(model, torch.optim.AdamW(model.parameters()), loader)
