"""Where the dtype is float16 a scaler is built, and the loss runs backward without it."""

import torch


def train(model, loader, device):
    dtype = torch.bfloat16 if torch.cuda.get_device_properties(device).major >= 8 else torch.float16
    scaler = torch.amp.GradScaler("cuda") if dtype == torch.float16 else None
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x.cuda(), y.cuda())
        loss.backward()  # expect: AMP201
        optimizer.step()
