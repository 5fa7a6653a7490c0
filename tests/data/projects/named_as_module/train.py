import torch

from engine import evaluate, train_one_epoch


def main(model, loader, val_loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(20):
        train_one_epoch(model, loader, optimizer, scaler)
        print(evaluate(model, val_loader))  # expect: AMP304
        state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}  # expect: AMP203
        torch.save(state, "last.pt")
