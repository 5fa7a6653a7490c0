import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


def rms_norm(x):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scaler = GradScaler("cuda")

    for strength, charges in task.batches:
        optimizer.zero_grad()
        with autocast("cuda", dtype=torch.float16):
            hidden = model.first(strength.cuda())
            loss = F.mse_loss(model.finish(rms_norm(hidden)), charges.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
