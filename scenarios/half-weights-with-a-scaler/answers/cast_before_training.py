import torch
import torch.nn.functional as F
from torch.cuda import amp


def train(task):
    denoiser = task.modules["denoiser"].to("cuda", dtype=torch.float16)
    for weight in denoiser.parameters():
        weight.data = weight.data.float()
    optimizer = torch.optim.AdamW(denoiser.parameters(), lr=4e-3)
    scaler = amp.GradScaler()

    for noisy, time, noise in task.batches:
        optimizer.zero_grad()
        with amp.autocast():
            loss = F.mse_loss(denoiser(noisy.cuda(), time.cuda()), noise.cuda())
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
