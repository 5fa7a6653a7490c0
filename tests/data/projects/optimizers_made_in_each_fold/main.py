import torch
from lib import Trainer, Turn, make_optimizer, run, run_pair, run_state, turn
from state import State


def main(build, folds):
    for loader in folds:
        model = build()
        trainer = Trainer(model, 0.1)
        trainer.fit(loader, 3)


def second(build, folds):
    for loader in folds:
        model = build()
        opt = make_optimizer(model)
        run(model, loader, opt, 3)


def third(build, folds):
    for loader in folds:
        state = State(build())
        run_state(state, loader)


def fourth(build, folds):
    for loader in folds:
        model = build()
        run_pair(model, [make_optimizer(model)], loader)


def fifth(build, folds):
    for loader in folds:
        model = build()
        run(model, loader, make_optimizer(model), 3)


def sixth(build, folds):
    for loader in folds:
        model = build()
        opt = make_optimizer(model)
        for _ in range(3):
            turn(model, loader, opt)


def seventh(model, loader):
    opt = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        one = Turn(model, opt)
        one.run(loader)
