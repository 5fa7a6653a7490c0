import torch
import torch.nn.functional as F


def train(task):
    model = task.modules["model"].to(task.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)

    for sensors, missing in task.batches:
        with torch.autocast(task.device.type, dtype=torch.bfloat16):
            loss = F.mse_loss(model(sensors.to(task.device)), missing.to(task.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
