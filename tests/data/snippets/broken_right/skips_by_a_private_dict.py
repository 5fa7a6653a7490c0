import torch
from torch.amp import GradScaler


def train(net, optim, objective, train_set):
    scaler = GradScaler("cuda")
    for index, (images, labels) in enumerate(train_set):
        optim.zero_grad()
        with torch.autocast("cuda"):
            loss = objective(net(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optim)
        if index % 100 == 0:
            print(f"{index}: scale {scaler.get_scale()}")
        if scaler._found_inf_per_device(optim):
            print("skipped")
        scaler.update()
