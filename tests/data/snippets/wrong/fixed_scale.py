import torch


def train(net, optim, objective, train_set):
    for images, labels in train_set:
        optim.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = objective(net(images), labels)
        scaled_loss = loss * 1024
        scaled_loss.backward()
        for weight in net.parameters():
            weight.grad.div_(1024)
        optim.step()
