import torch
from torch.amp import GradScaler, autocast

scaler = GradScaler("cuda")
for images, labels in train_set:
    optim.zero_grad()
    with autocast("cuda", dtype=torch.float16):
        logits = net(images)
        loss = objective(logits, labels)
    scaler.scale(loss).backward()
    scaler.step(optim)
    scaler.update()
