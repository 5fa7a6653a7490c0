import torch


def save_all(model, optimizers, path):
    states = {name: one.state_dict() for name, one in optimizers.items()}
    torch.save({"model": model.state_dict(), "optimizers": states}, path)


def restore_all(optimizers, path):
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(torch.load(path)["optimizers"][name])


def save_with_scaler(model, optimizers, scaler, path):
    states = {name: one.state_dict() for name, one in optimizers.items()}
    torch.save({"model": model.state_dict(), "optimizers": states, "scaler": scaler.state_dict()}, path)


def log_all(optimizers, path):
    for name in optimizers.keys():
        with open(path, "a") as file:
            file.write(name)
