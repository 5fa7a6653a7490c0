import torch
from engine import train_in_float32, train_one_epoch


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    return sum(model(x).sum().item() for x in loader)  # expect: AMP304


@torch.no_grad()
def evaluate_plain(model, loader):
    model.eval()
    return sum(model(x).sum().item() for x in loader)


def main(build, loader, held_out, device):
    model, plain = build().cuda(), build().cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(9):
        train_one_epoch(model, loader, optimizer, device)
    train_in_float32(plain, loader, torch.optim.AdamW(plain.parameters()))
    print(evaluate(model, held_out), evaluate_plain(plain, held_out))
