import torch
import torch.nn.functional as F
from torch.cuda.amp import GradScaler, autocast


def train(task):
    lm = task.modules["lm"].cuda()
    optimizer = torch.optim.Adam(lm.parameters(), lr=5e-3)
    scaler = GradScaler(enabled=False)

    for context, following in task.batches:
        optimizer.zero_grad(set_to_none=True)
        with autocast(dtype=torch.bfloat16):
            loss = F.cross_entropy(lm(context.cuda()), following.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
