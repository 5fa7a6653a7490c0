import torch


def save_checkpoint(path, model, optimizer, epoch, scaler=None):
    data = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    if scaler is not None:
        data["scaler"] = scaler.state_dict()
    torch.save(data, path)


def load_checkpoint(path, model, optimizer, scaler=None):
    data = torch.load(path)
    model.load_state_dict(data["model"])
    optimizer.load_state_dict(data["optimizer"])
    if scaler is not None and "scaler" in data:
        scaler.load_state_dict(data["scaler"])
    return data["epoch"]
