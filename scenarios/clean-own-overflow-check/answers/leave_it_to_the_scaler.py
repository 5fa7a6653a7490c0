import torch
from ampfix_task import task
from torch.amp import GradScaler, autocast
from torch.nn.utils import clip_grad_norm_

model = task.modules["model"].cuda()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.05)
scaler = GradScaler("cuda", init_scale=2.0**24)
dropped = 0

for features, progression in task.batches:
    optimizer.zero_grad()
    with autocast("cuda"):
        loss = torch.nn.functional.mse_loss(model(features.cuda()), progression.cuda())
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()

print(f"{dropped} steps without an update of the weights")
