import torch
from torch.cuda.amp import GradScaler, autocast


def slope_penalty(critic, middle, scaler):
    middle.requires_grad_()
    with autocast():
        score = critic(middle).sum()
    (slope,) = torch.autograd.grad(scaler.scale(score), middle, create_graph=True)
    return (slope.norm(dim=1) - 1).square().mean()


def train(task):
    critic = task.modules["critic"].cuda()
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    scaler = GradScaler(init_scale=2.0**10)

    for real, fake in task.batches:
        real, fake = real.cuda(), fake.cuda()
        optimizer.zero_grad()
        with autocast():
            difference = critic(fake).mean() - critic(real).mean()
        loss = difference + 10 * slope_penalty(critic, (real + fake) / 2, scaler)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
