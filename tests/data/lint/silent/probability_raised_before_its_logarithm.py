import torch


def gate(head, features, optimizer, scaler):
    with torch.autocast("cuda", dtype=torch.float16):
        scores = torch.nn.functional.linear(features, head)
        gates = torch.sigmoid(scores).clamp(1e-6, 1.0)
        loss = -torch.log(gates).mean() - torch.log(torch.sigmoid(scores).clamp(min=1e-7)).mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
