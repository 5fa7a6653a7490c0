import torch
import torch.distributed as dist


def train(model, loader, optimizer, accum, world_size):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y)).backward()
        for p in model.parameters():
            p.grad.div_(world_size)
            p.grad /= accum
            dist.all_reduce(p.grad)
            p.grad.mul_(1.0 / dist.get_world_size())
            p.grad.mul_(0.5)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
