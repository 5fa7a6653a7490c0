import os

import torch
import torch.distributed as dist
from torch.amp import GradScaler, autocast
from torch.nn.parallel import DistributedDataParallel


def main(net, objective, train_set):
    rank = int(os.environ["LOCAL_RANK"])
    device = torch.device(f"cuda:{rank}")
    dist.init_process_group(backend="nccl")
    net = DistributedDataParallel(net.to(device), device_ids=[rank])
    optim = torch.optim.Adam(net.parameters())
    scaler = GradScaler("cuda")
    for images, labels in train_set:
        images, labels = images.to(device), labels.to(device)
        optim.zero_grad()
        with autocast("cuda"):
            loss = objective(net(images), labels)
        scaler.scale(loss).backward()
        scaler.unscale_(optim)
        torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
        scaler.step(optim)
        scaler.update()
