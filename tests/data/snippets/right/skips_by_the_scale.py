import torch
from torch.amp import GradScaler, autocast


def train(net, optim, objective, train_set):
    scaler = GradScaler("cuda")
    for index, (images, labels) in enumerate(train_set):
        optim.zero_grad()
        with autocast("cuda"):
            loss = objective(net(images), labels)
        scaler.scale(loss).backward()
        before = scaler.get_scale()
        scaler.step(optim)
        scaler.update()
        after = scaler.get_scale()
        if after < before:
            print(f"step {index} was skipped: {before} -> {after}")
            for name, weight in net.named_parameters():
                if weight.grad is not None:
                    if torch.isnan(weight.grad).any():
                        print(f"NaN in {name}")
                    if torch.isinf(weight.grad).any():
                        print(f"inf in {name}")
