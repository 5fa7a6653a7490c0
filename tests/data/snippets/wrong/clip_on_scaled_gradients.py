import torch


def train_step(net, optim, scaler, objective, images, labels):
    with torch.autocast("cuda"):
        loss = objective(net(images), labels)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
    scaler.step(optim)
    scaler.update()
