import torch
import torch.nn.functional as F


def build(half=False):
    model = torch.nn.Linear(8, 8).cuda()
    if half:
        model = model.half()  # expect: AMP301
    return model


def train(loader):
    model = build(half=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


def make(half):
    model = torch.nn.Linear(8, 8).cuda()
    if not half:
        return model
    model.half()  # expect: AMP301
    return model


def train_chosen(loader, args):
    net = make(args.half)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()
