import torch
from mylib import NativeScaler


def under_another_test(model, loader, optimizer, loss_fn, args, loss_scaler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if loss > args.ceiling:
            loss_scaler(loss, optimizer)
        else:
            loss.backward()  # expect: AMP201
            optimizer.step()


def built_and_never_called(model, loader, optimizer, loss_fn, args):
    loss_scaler = NativeScaler()
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if loss_scaler is not None:
            loss_scaler.record(model)
        loss.backward()  # expect: AMP201
        optimizer.step()


def logged(model, loader, optimizer, loss_fn, args, logger):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if logger is not None:
            logger.log(loss)
        else:
            loss.backward()  # expect: AMP201
            optimizer.step()


def in_a_loop_of_its_own(model, loader, optimizer, loss_fn, args, loss_scaler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if loss_scaler is not None:
            loss_scaler(loss, optimizer)
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()  # expect: AMP201
        optimizer.step()


def by_a_helper_that_is_seen(model, loader, optimizer, loss_fn, args, scaler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        if scaler is not None:
            backward(loss, optimizer)
        else:
            loss.backward()  # expect: AMP201
            optimizer.step()


def backward(loss, optimizer):
    loss.backward()  # expect: AMP201
    optimizer.step()


def made_without_a_scale(model, loader, optimizer, loss_fn, args, scheduler):
    for x, y in loader:
        with torch.autocast("cuda", enabled=args.amp):
            loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss = scheduler.weigh(loss)
        loss.backward()  # expect: AMP201
        optimizer.step()
