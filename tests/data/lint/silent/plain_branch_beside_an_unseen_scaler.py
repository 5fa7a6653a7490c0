"""Each loop has one way with a scaler of a package that is not here, and a plain one for when AMP is off."""

import torch
from mylib import NativeScaler, scaled_step


def tested_for_none(model, loader, optimizer, loss_fn, args, loss_scaler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if loss_scaler is not None:
            loss_scaler(loss, optimizer, parameters=model.parameters())
        else:
            loss.backward()
            optimizer.step()


def left_early(model, loader, optimizer, loss_fn, args, loss_scaler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if loss_scaler is None:
            loss.backward()
            optimizer.step()
            continue
        loss_scaler(loss, optimizer)


def behind_what_leaves(model, loader, optimizer, loss_fn, args, backward_fn):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if backward_fn:
            backward_fn(loss, optimizer)
            continue
        loss.backward()
        optimizer.step()


def remembered(model, loader, optimizer, loss_fn, args):
    loss_scaler = NativeScaler() if args.amp else None
    has_scaler = loss_scaler is not None
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if has_scaler:
            scaled_step(loss / 2, optimizer, loss_scaler)
        else:
            (loss / 2).backward()
            optimizer.step()


def managed(model, loader, optimizer, loss_fn, use_amp, amp_manager):
    for x, y in loader:
        with torch.autocast("cuda", enabled=use_amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if amp_manager.enabled:
            amp_manager.backward(loss)
            amp_manager.step(optimizer)
        else:
            loss.backward()
            optimizer.step()


def accelerated(model, loader, optimizer, loss_fn, use_amp, accelerator):
    for x, y in loader:
        with torch.autocast("cuda", enabled=use_amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        accelerator.backward(loss) if accelerator is not None else loss.backward()
        optimizer.step()


class Trainer:
    def __init__(self, model, optimizer, args):
        self.model, self.optimizer, self.args = model, optimizer, args
        self.loss_scaler = NativeScaler() if args.amp else None

    def train(self, loader, loss_fn):
        for x, y in loader:
            with torch.autocast("cuda", enabled=self.args.amp):
                loss = loss_fn(self.model(x), y)
            self.optimizer.zero_grad()
            self._step(loss)

    def _step(self, loss):
        if self.loss_scaler:
            self.loss_scaler(loss, self.optimizer)
            return
        loss.backward()
        self.optimizer.step()


def summed(model, loader, optimizer, loss_fn, args, loss_scaler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            losses = loss_fn(model(x), y)
        optimizer.zero_grad()
        if loss_scaler is not None:
            loss_scaler(sum(losses), optimizer)
        else:
            sum(losses).backward()
            optimizer.step()


def scaled_by_what_is_unseen(model, loader, optimizer, loss_fn, args, loss_scaler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss = loss_scaler.scale_loss(loss)
        loss.backward()
        optimizer.step()
