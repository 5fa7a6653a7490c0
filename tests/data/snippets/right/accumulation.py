import torch
from torch.amp import GradScaler, autocast


def train(net, optim, objective, train_set):
    scaler = GradScaler("cuda")
    window = 4
    for index, (images, labels) in enumerate(train_set):
        images, labels = images.cuda(), labels.cuda()
        with autocast("cuda"):
            logits = net(images)
            loss = objective(logits, labels)
            loss = loss / window
        scaler.scale(loss).backward()
        if (index + 1) % window == 0:
            scaler.unscale_(optim)
            torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
            scaler.step(optim)
            scaler.update()
            optim.zero_grad()
