import torch


def train(net, optim, scaler, train_set, objective, path):
    for images, labels in train_set:
        optim.zero_grad()
        with torch.autocast("cuda"):
            loss = objective(net(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optim)
        scaler.update()
    weights = {name: value.half() for name, value in net.state_dict().items()}
    torch.save({"net": weights, "optim": optim.state_dict(), "scaler": scaler.state_dict()}, path)
