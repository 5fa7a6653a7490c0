import torch
from transformers import get_cosine_schedule_with_warmup

from common.amp import NativeScaler as Scaler


def train(model, loader, optimizer, loss_scaler, scheduler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        loss_scaler(loss, optimizer)
        scheduler.step()  # expect: AMP114


def main(model, loader, path):
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = get_cosine_schedule_with_warmup(optimizer, 10, 100)
    loss_scaler = Scaler()
    train(model, loader, optimizer, loss_scaler, scheduler)
    torch.save({"optimizer": optimizer.state_dict()}, path)  # expect: AMP203
