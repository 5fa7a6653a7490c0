import torch
from torch import nn


def census(net, train_set, batches=10):
    norms = []
    for index, (images, labels) in enumerate(train_set):
        if index >= batches:
            break
        loss = nn.CrossEntropyLoss()(net(images.cuda()), labels.cuda())
        net.zero_grad()
        loss.backward()
        for name, weight in net.named_parameters():
            if weight.grad is not None:
                norms.append((name, weight.grad.norm().item()))
    values = sorted(norm for _, norm in norms)
    lost = sum(1 for norm in values if norm < 2**-14)
    print(f"{lost} of {len(values)} are below float16's normal numbers")
    return 2 ** round(1e-3 / values[len(values) // 2])
