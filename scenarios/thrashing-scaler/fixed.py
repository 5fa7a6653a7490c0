import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


def train(task):
    model = task.modules["model"].to("cuda")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scaler = GradScaler("cuda", init_scale=2.0**10, growth_interval=2000)

    for conditions, profile in task.batches:
        optimizer.zero_grad(set_to_none=True)
        with autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(model(conditions.to("cuda")), profile.to("cuda"), reduction="sum")
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
