import torch


def zeroed_on_the_other_side(model, batches, optimizer, mixed):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        if mixed:
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()  # expect: AMP123
            scaler.step(optimizer)
            scaler.update()
        else:
            model(x, y).backward()
            optimizer.step()
            optimizer.zero_grad()


def schedule_behind_a_look_at_the_loss(model, batches, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if torch.isfinite(loss):
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()  # expect: AMP114


def schedulers_and_optimizers_in_lists(model, batches, optimizers, schedulers):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        for scheduler in schedulers:
            scheduler.step()  # expect: AMP114
        for optimizer in optimizers:
            optimizer.zero_grad()


def schedule_in_the_last_window_too(model, batches, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        with torch.autocast("cuda"):
            loss = model(x, y) / 4
        scaler.scale(loss).backward()
        if i % 4 == 3:
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()  # expect: AMP114
            optimizer.zero_grad()
    if len(batches) % 4:
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()  # expect: AMP114
        optimizer.zero_grad()


def count_of_steps_divided(model, batches, epochs, accum):
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=int(epochs * len(batches) / accum))
    criterion, scaler = torch.nn.CrossEntropyLoss(), torch.amp.GradScaler("cuda")
    for _ in range(epochs):
        for i, (x, y) in enumerate(batches):
            with torch.autocast("cuda"):
                loss = criterion(model(x), y)
            scaler.scale(loss).backward()  # expect: AMP115
            if (i + 1) % accum == 0:
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
        scheduler.step()
