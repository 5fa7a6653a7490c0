from engine import train_one_epoch
from utils.checkpointing import save_checkpoint


def fit(model, loader, optimizer, criterion, scaler, path, epochs):
    for epoch in range(epochs):
        train_one_epoch(model, loader, optimizer, criterion, scaler)
        save_checkpoint(path, model, optimizer, epoch)  # expect: AMP203
