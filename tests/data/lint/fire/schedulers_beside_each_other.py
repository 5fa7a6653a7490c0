import torch


def two_for_one_optimizer(model, batches, optimizer, scheduler, warmup):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()  # expect: AMP114
        warmup.step()  # expect: AMP114


def kept_by_name(model, batches, optimizer, schedulers):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        for one in schedulers.values():
            one.step()  # expect: AMP114


def in_a_comprehension(model, batches, optimizer, schedulers):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        [one.step() for one in schedulers]  # expect: AMP114


def second_for_epochs(model, epochs, optimizer, scheduler, warmup):
    scaler = torch.amp.GradScaler("cuda")
    for batches in epochs:
        for x, y in batches:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            warmup.step()  # expect: AMP114
        scheduler.step()


def annealed_weight(model, batches, optimizer, loss_schedules):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        for one in loss_schedules:
            one.step()
