import torch


def train_step(net, objective, images, labels):
    with torch.autocast("cuda"):
        logits = net(images)
        with torch.autocast("cuda", enabled=False):
            loss = objective(logits.float(), labels.float())
    return loss
