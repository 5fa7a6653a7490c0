import torch
from torch.amp import autocast

for images, labels in train_set:
    with autocast("cuda", dtype=torch.bfloat16):
        logits = net(images)
        loss = objective(logits, labels)
    loss.backward()
    optim.step()
    optim.zero_grad()
