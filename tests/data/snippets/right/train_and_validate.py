import torch
from torch import nn
from torch.amp import GradScaler, autocast


def train(net, train_set, optim, objective, device, epochs):
    scaler = GradScaler("cuda")
    net.train()
    for epoch in range(epochs):
        total = 0.0
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
            total += loss.detach()
        print(f"{epoch}: {total / len(train_set):.4f}, scale {scaler.get_scale()}")


def validate(net, held_out, objective, device):
    net.eval()
    total = 0.0
    with torch.no_grad():
        for images, labels in held_out:
            images, labels = images.to(device), labels.to(device)
            with autocast("cuda"):
                loss = objective(net(images), labels)
            total += loss.detach()
    return total / len(held_out)


net = build_net().cuda()
train(net, first, torch.optim.AdamW(net.parameters(), lr=1e-4), nn.CrossEntropyLoss(), "cuda", epochs=10)
validate(net, second, nn.CrossEntropyLoss(), "cuda")
