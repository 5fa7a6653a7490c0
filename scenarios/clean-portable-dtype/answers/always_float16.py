import torch
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_


def half_dtype(device):
    return torch.float16


def train(task):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = half_dtype(device)
    model = task.modules["model"].to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)

    for features, benign in task.batches:
        features, benign = features.to(device), benign.to(device)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device_type=device.type, dtype=dtype):
            loss = F.binary_cross_entropy_with_logits(model(features), benign)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
