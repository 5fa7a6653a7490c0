import torch


def train(net, optim, scaler, objective, train_set):
    for images, labels in train_set:
        optim.zero_grad()
        with torch.autocast("cuda"):
            loss = objective(net(images), labels)
        scaler.scale(loss).backward()
        scaler.unscale_(optim)
        torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
        scaler.step(optim)
