import torch


def step_with(scaler, optimizer):
    old_scale = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    return scaler.get_scale() >= old_scale


def schedule_by_what_a_helper_tells(model, batches, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        applied = step_with(scaler, optimizer)
        if applied:
            scheduler.step()


def schedule_behind_a_look_at_all_gradients(model, batches, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        finite = all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        if not finite:
            scaler.update()
            continue
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()


def step_on_differences(model, snapshot, batches, optimizer, outer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        for new, old in zip(model.parameters(), snapshot.parameters()):
            old.grad = old.data - new.data
        outer.step()
        outer.zero_grad()


def add_a_second_optimizer_later(model, optimizer, second, batches, path):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in batches:
        optimizer.zero_grad()
        second.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.step(second)
        scaler.update()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}
    if second is not None:
        state["second"] = second.state_dict()
    torch.save(state, path)
