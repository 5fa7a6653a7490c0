import torch


def gate(head, features, optimizer, scaler):
    with torch.autocast("cuda", dtype=torch.float16):
        scores = torch.nn.functional.linear(features, head)
        gates = torch.sigmoid(scores).clamp(1e-8, 1.0)
        kept = torch.sigmoid(scores).clamp(1e-6, 1 - 1e-6)
        loss = -torch.log(gates).mean()  # expect: AMP402
        loss = loss - torch.log(1 - kept).mean()  # expect: AMP402
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
