import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast

gpt = build_gpt().cuda()
optim = torch.optim.AdamW(gpt.parameters(), lr=1e-4)
scaler = GradScaler("cuda")
for _ in range(epochs):
    for batch in train_set:
        tokens, following = batch["tokens"].cuda(), batch["following"].cuda()
        optim.zero_grad()
        with autocast("cuda"):
            logits = gpt(tokens)
            loss = F.cross_entropy(logits.view(-1, vocabulary), following.view(-1))
        scaler.scale(loss).backward()
        scaler.step(optim)
        scaler.update()
