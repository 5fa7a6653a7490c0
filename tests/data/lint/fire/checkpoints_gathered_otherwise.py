import copy
from collections import OrderedDict

import torch


def step(model, optimizer, scaler, x, y):
    optimizer.zero_grad()
    with torch.autocast("cuda"):
        loss = model(x, y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


class Saver:
    def on_epoch_end(self, trainer, path):
        torch.save({"weights": trainer.model.state_dict(), "opt": trainer.opt.state_dict()}, path)  # expect: AMP203


class Trainer:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, batches):
        for x, y in batches:
            step(self.model, self.opt, self.scaler, x, y)

    def save_by_name(self, path):
        state = {}
        for name in ("model", "opt"):
            state[name] = getattr(self, name).state_dict()  # expect: AMP203
        torch.save(state, path)

    def save_everything_by_name(self, path):
        torch.save({name: getattr(self, name).state_dict() for name in ("model", "opt", "scaler")}, path)

    def save_as_it_is(self, path):
        torch.save({"model": self.model, "opt": self.opt}, path)  # expect: AMP203

    def describe(self):
        return {"model": self.model, "opt": self.opt}


def pairs_of_names_and_states(model, optimizer, scaler, path):
    step(model, optimizer, scaler, *torch.load("batch.pt"))
    state = OrderedDict([("model", model.state_dict()), ("optimizer", optimizer.state_dict())])  # expect: AMP203
    torch.save(state, path)


def every_part_in_turn(model, optimizer, scaler, path):
    step(model, optimizer, scaler, *torch.load("batch.pt"))
    parts = {"model": model, "optimizer": optimizer}
    torch.save({name: part.state_dict() for name, part in parts.items()}, path)  # expect: AMP203


def every_part_and_the_scaler(model, optimizer, scaler, path):
    parts = {"model": model, "optimizer": optimizer}
    parts["scaler"] = scaler
    torch.save({name: part.state_dict() for name, part in parts.items()}, path)


def every_part_restored(model, optimizer, scaler, path):
    checkpoint = torch.load(path)
    for name, part in [("model", model), ("optimizer", optimizer)]:
        part.load_state_dict(checkpoint[name])  # expect: AMP203


def copied(model, optimizer, scaler, path):
    step(model, optimizer, scaler, *torch.load("batch.pt"))
    best = {"model": model.state_dict(), "optimizer": copy.deepcopy(optimizer.state_dict())}  # expect: AMP203
    torch.save(best, path)


def moved(model, optimizer, scaler, path):
    state = {name: value for name, value in optimizer.state_dict().items()}  # expect: AMP203
    torch.save({"model": model.state_dict(), "optimizer": state}, path)


def save_under_another_name(net, o, path):
    torch.save({"net": net.state_dict(), "o": o.state_dict()}, path)  # expect: AMP203


def main(model, batches, path):
    adam = torch.optim.Adam(model.parameters())
    mixed = torch.amp.GradScaler("cuda")
    for x, y in batches:
        step(model, adam, mixed, x, y)
    save_under_another_name(model, adam, path)
    torch.save({"adam": adam.state_dict(), "size": len(adam.state_dict())}, path)  # expect: AMP203
