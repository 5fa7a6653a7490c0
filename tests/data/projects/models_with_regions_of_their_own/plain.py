import torch
from engine import train_one_epoch
from metrics import evaluate
from nets import Plain


def main(loader, held_out):
    model = Plain().cuda()
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(9):
        train_one_epoch(model, loader, optimizer, scaler)
        evaluate(model, held_out)  # expect: AMP304
    with torch.no_grad():
        for x, y in held_out:
            print(model(x).argmax(1) == y)  # expect: AMP304
