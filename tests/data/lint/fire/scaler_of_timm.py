import torch
from timm.utils import NativeScaler


def train(model, batches, path):
    optimizer = torch.optim.AdamW(model.parameters())
    loss_scaler = NativeScaler()
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        loss_scaler(loss, optimizer, clip_grad=1.0, parameters=model.parameters())
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)  # expect: AMP203
