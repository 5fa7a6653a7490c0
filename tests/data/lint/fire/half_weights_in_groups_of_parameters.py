"""Half weights that an optimizer is handed in groups."""

import torch


def train(model, loader, decay):
    model.half()  # expect: AMP301
    with_decay, without = [], []
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            without.append(weight)
        else:
            with_decay.append(weight)
    optimizer = torch.optim.SGD([{"params": with_decay, "weight_decay": decay}, {"params": without}], lr=0.1)
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()


def train_at_two_rates(net, head, loader, tuned):
    net.half()  # expect: AMP301
    if tuned:
        groups = [{"params": net.parameters(), "lr": 0.01}]
    else:
        groups = [{"params": list(net.parameters())}, {"params": head.parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    for x, y in loader:
        head(net(x)).backward(y)
        optimizer.step()
