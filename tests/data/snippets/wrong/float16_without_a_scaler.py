import torch


def train(net, optim, objective, train_set):
    for images, labels in train_set:
        optim.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            logits = net(images)
            loss = objective(logits, labels)
        loss.backward()
        optim.step()
