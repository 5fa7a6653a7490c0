import torch
import torch.nn.functional as F

RESIDUAL_WEIGHT = 3e-3  # beside the data term of the full model


def residual_loss(prediction, residual):
    return RESIDUAL_WEIGHT * F.mse_loss(prediction, residual, reduction="sum")


def train(task):
    model = task.modules["model"].to("cuda")
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    for reading, residual in task.batches:
        reading, residual = reading.to("cuda"), residual.to("cuda")
        with torch.autocast(device_type="cuda", dtype=torch.float16):
            loss = residual_loss(model(reading), residual)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
