import torch

dtype = torch.bfloat16 if torch.cuda.get_device_capability()[0] >= 8 else torch.float16
scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)


def train_step(net, optim, objective, images, labels):
    optim.zero_grad()
    with torch.autocast("cuda", dtype=dtype):
        loss = objective(net(images), labels)
    scaler.scale(loss).backward()
    scaler.step(optim)
    scaler.update()
