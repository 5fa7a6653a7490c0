import torch
from engine import evaluate, train_epoch
from never_scaled import fit
from scaled_by_one import fit as fit_mixed
from unused_training import test, train_plain


def main(net, plain, loader, held_out):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(9):
        train_epoch(net, loader, torch.optim.Adam(net.parameters()), scaler)
    print(evaluate(net, held_out))
    fit(plain, loader, held_out, torch.optim.Adam(plain.parameters()))
    fit_mixed(net, loader, held_out, torch.optim.Adam(net.parameters()), scaler=scaler)
    train_plain(plain, loader, torch.optim.Adam(plain.parameters()))
    print(test(plain, held_out))
