import torch
from engine import train_by_anyone, train_in_float16, train_one_epoch


def main(model, loader, criterion, config):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda", enabled=config["amp"])
    for _ in range(9):
        train_one_epoch(model, loader, optimizer, criterion, scaler, use_amp=config["amp"])
        train_by_anyone(model, loader, optimizer, criterion, scaler)
    save(model, optimizer, scaler)


def main_in_float16(model, loader, criterion, config):
    optimizer = torch.optim.AdamW(model.parameters())
    guard = torch.amp.GradScaler("cuda", enabled=config["use_fp16"])
    for _ in range(9):
        train_in_float16(model, loader, optimizer, criterion, guard, use_amp=config["amp"])
    save(model, optimizer, guard)


def main_of_another(model, loader, criterion, optimizer, scaler):
    train_by_anyone(model, loader, optimizer, criterion, scaler)


def save(model, optimizer, scaler):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}
    torch.save(state, "last.pt")
