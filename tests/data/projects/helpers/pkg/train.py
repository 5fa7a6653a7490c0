import pkg.utils as U
from pkg.utils import shared

from . import utils
from .utils import clip as my_clip
from .utils import make_scaler, prepare


def one(model, loader, optimizer):
    s = make_scaler()
    for x, y in loader:
        s.scale(model(x, y)).backward()
        my_clip(model, 1.0)  # expect: AMP101
        s.step(optimizer)
        s.update()
        optimizer.zero_grad()


def two(model, loader, optimizer):
    for x, y in loader:
        shared.scale(model(x, y)).backward()
        U.clip(model, 1.0)  # expect: AMP101
        utils.shared.step(optimizer)
        shared.update()
        optimizer.zero_grad()


def right(model, loader, optimizer):
    for x, y in loader:
        shared.scale(model(x, y)).backward()
        prepare(shared, optimizer)
        U.clip(model, 1.0)
        utils.shared.step(optimizer)
        shared.update()
        optimizer.zero_grad()
