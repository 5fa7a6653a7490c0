"""What is frozen may be half; what trains beside it is float32."""

import torch


def tune(model, text_encoder, adapter, loader, args):
    weight_dtype = torch.float32
    if args.precision == "bf16":
        weight_dtype = torch.bfloat16
    model.requires_grad_(False)
    model.to(args.device, dtype=weight_dtype)
    text_encoder.to(args.device, dtype=weight_dtype)
    trained = [one for one in model.parameters() if one.requires_grad] + list(adapter.parameters())
    optimizer = torch.optim.AdamW(trained)
    for x, y in loader:
        loss = adapter(model(text_encoder(x)), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def plain(model, loader, args):
    weight_dtype = torch.float32 if args.small else torch.float64
    model.to(args.device, dtype=weight_dtype)
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        loss = model(x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
