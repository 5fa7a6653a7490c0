import torch

with torch.autocast("cuda", dtype=torch.bfloat16):
    logits = net(images)
    loss = objective(logits, labels)
