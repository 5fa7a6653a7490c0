import torch


def train_one_epoch(model, loader, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)  # expect: AMP202
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()


def run(model, loader, opt, grad_scaler):
    for x, y in loader:
        opt.zero_grad()
        grad_scaler.scale(model(x, y)).backward()
        grad_scaler.step(opt)
        grad_scaler.update()


def run_plain(model, loader, opt):
    for x, y in loader:
        opt.zero_grad()
        model(x, y).backward()
        opt.step()
