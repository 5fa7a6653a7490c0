import torch
from ddpm import DDPM


def train(model, loader, save):
    method = DDPM(model.cuda())
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for step, x in enumerate(loader):
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = method.compute_loss(x.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if step % 1000 == 0:
            save(method.sample((16, 3, 32, 32)))  # expect: AMP304
        if step % 1000 == 1:
            with torch.autocast("cuda"):
                save(method.sample((16, 3, 32, 32)))


def train_on_samples(model, loader):
    method = DDPM(model.cuda())
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        optimizer.zero_grad()
        x = method.sample(x.shape)
        with torch.autocast("cuda"):
            loss = method.compute_loss(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
