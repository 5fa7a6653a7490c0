"""A probe of memory: a throwaway copy of the parameters takes the step."""

import torch


def probe(model, copies, optimizer, x, y, half):
    dtype = torch.bfloat16 if half == "bf16" else torch.float16
    with torch.autocast("cuda", dtype=dtype):
        loss = model(x, y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for copy, weight in zip(copies, model.parameters(), strict=True):
        copy.grad = weight.grad
    optimizer.step()
