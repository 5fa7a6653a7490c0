import torch
from native import train

from common.amp import NativeScaler as Scaler


def keeps(model, loader, path):
    optimizer = torch.optim.AdamW(model.parameters())
    loss_scaler = Scaler()
    train(model, loader, optimizer, loss_scaler, None)
    torch.save({"optimizer": optimizer.state_dict(), "scaler": loss_scaler.state_dict()}, path)
