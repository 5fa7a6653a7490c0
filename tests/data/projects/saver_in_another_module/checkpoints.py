import torch


def save_checkpoint(model, optimizer, epoch, path, scheduler=None):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    if scheduler is not None:
        state["scheduler"] = scheduler.state_dict()
    torch.save(state, path)


def load_checkpoint(path, model, optimizer=None):
    state = torch.load(path)
    model.load_state_dict(state["model"])
    if optimizer is not None:
        optimizer.load_state_dict(state["optimizer"])
    return state["epoch"]


def save_with(model, optimizer, path, **more):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), **more}, path)


def save_everything(model, optimizer, path, scaler=None):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    if scaler is not None:
        state["scaler"] = scaler.state_dict()
    torch.save(state, path)


def save_weights(model, optimizer, path):
    torch.save({"model": model.state_dict(), "lr": optimizer.param_groups[0]["lr"]}, path)


def describe(optimizer):
    return len(optimizer.state_dict()["state"])
