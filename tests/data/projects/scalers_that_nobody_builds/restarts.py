import states
import torch


def with_one_argument_too_many(model, batches, optimizer, config):
    scaler = torch.amp.GradScaler("cuda")
    states.restore(model, optimizer, config, "last.pt")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def as_it_should(model, batches, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    states.restore(model, optimizer, "last.pt")  # expect: AMP203
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
