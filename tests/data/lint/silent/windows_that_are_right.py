import torch


def divided_by_the_window(model, loader, optimizer, scaler, args):
    optimizer.zero_grad()
    for step, batch in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model(**batch).loss / args.gradient_accumulation_steps
        scaler.scale(loss).backward()
        if (step + 1) % args.gradient_accumulation_steps == 0 or step + 1 == len(loader):
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def divided_by_tokens(model, loader, optimizer, scaler, window):
    for step, batch in enumerate(loader):
        with torch.autocast("cuda"):
            losses = model(**batch)
            loss = losses.sum() / batch["tokens_of_the_window"]
        scaler.scale(loss).backward()
        if (step + 1) % window != 0:
            continue
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def gradients_divided(model, loader, optimizer, scaler, every):
    for step, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        if step % every == every - 1:
            scaler.unscale_(optimizer)
            for p in model.parameters():
                p.grad /= every
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def logged_not_accumulated(model, loader, optimizer, scaler, log_every):
    for step, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if step % log_every == 0:
            print(step)
