import torch
from torch import nn
from torch.amp import GradScaler, autocast


def stress(net, train_set):
    scaler = GradScaler("cuda", init_scale=65536.0)
    optim = torch.optim.Adam(net.parameters(), lr=1e-3)
    overflows = vanished = 0
    for images, labels in train_set:
        optim.zero_grad()
        with autocast("cuda"):
            loss = nn.CrossEntropyLoss()(net(images), labels)
        scaled_loss = scaler.scale(loss)
        scaled_loss.backward()
        has_inf = has_tiny = False
        for weight in net.parameters():
            if weight.grad is not None:
                if torch.isinf(weight.grad).any():
                    has_inf = True
                if (weight.grad.abs() < 1e-7).all():
                    has_tiny = True
        overflows += has_inf
        vanished += has_tiny
        scaler.unscale_(optim)
        scaler.step(optim)
        scaler.update()
    return overflows, vanished
