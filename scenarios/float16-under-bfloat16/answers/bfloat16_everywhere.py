import torch
import torch.nn.functional as F

WEIGHT = 1e-4  # of the correction beside the forecast itself


def train(task):
    device = task.device
    encoder, head = (task.modules[name].to(device) for name in ("encoder", "head"))
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-2, eps=1e-12)

    for weather, correction in task.batches:
        weather, correction = weather.to(device), correction.to(device)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            factors = encoder(weather)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = WEIGHT * F.mse_loss(head(factors), correction)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
