import torch

from amp import choose_scaler, get_grad_scaler, no_scaler, one_scaler, save_checkpoint, shared_scaler


def train_one_epoch(model, batches, optimizer, device):
    scaler = get_grad_scaler(device, True)  # expect: AMP202
    for x, y in batches:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()


def train_loop(model, batches, optimizer, device, epochs):
    for _ in range(epochs):
        train_one_epoch(model, batches, optimizer, device)


def in_a_loop(model, batches, optimizer, epochs):
    for _ in range(epochs):
        scaler = choose_scaler(True)  # expect: AMP202
        for x, y in batches:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()


def with_one(model, batches, optimizer, epochs):
    for _ in range(epochs):
        scaler = one_scaler()
        for x, y in batches:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()


def with_shared(model, batches, optimizer, epochs):
    for _ in range(epochs):
        scaler = shared_scaler()
        for x, y in batches:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()


def without(model, batches, optimizer, epochs):
    for _ in range(epochs):
        scaler = no_scaler()
        for x, y in batches:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()


def for_each_fold(folds, build):
    for batches in folds:
        model = build()
        tuned = torch.optim.AdamW(model.parameters())
        scaler = choose_scaler(True)
        for x, y in batches:
            tuned.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(tuned)
            scaler.update()
