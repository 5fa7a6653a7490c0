import torch
from torch import nn
from torch.cuda.amp import GradScaler


class Settings:
    amp_dtype = torch.bfloat16
    max_norm = 1.0
    lr = 0.02


def train(task):
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SystemExit("amp_dtype needs a newer device")
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=Settings.lr, momentum=0.9, weight_decay=1e-3)
    scaler = GradScaler(enabled=Settings.amp_dtype == torch.float16)
    criterion = nn.SmoothL1Loss()

    for features, progression in task.batches:
        optimizer.zero_grad()
        with torch.autocast(device_type="cuda", dtype=Settings.amp_dtype, enabled=False):
            loss = criterion(model(features.cuda()), progression.cuda())
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), Settings.max_norm)
        scaler.step(optimizer)
        scaler.update()
