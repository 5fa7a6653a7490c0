import torch


def accumulated(model, tasks, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, targets in loader:
        for i, task in enumerate(tasks):
            if i == 0:
                optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.mse_loss(model(x, task), targets[task]) / len(tasks)
            scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def surgery(model, tasks, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, targets in loader:
        kept = []
        for task in tasks:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.mse_loss(model(x, task), targets[task])
            scaler.scale(loss).backward()
            kept.append([p.grad.clone() for p in model.parameters()])
        for i, p in enumerate(model.parameters()):
            p.grad = torch.stack([one[i] for one in kept]).mean(0)
        scaler.step(optimizer)
        scaler.update()


def write(params, grads):
    for p, g in zip(params, grads):
        p.grad = g


def surgery_in_a_helper(model, tasks, loader, optimizer):
    params = list(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, targets in loader:
        kept = []
        for task in tasks:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.mse_loss(model(x, task), targets[task])
            scaler.scale(loss).backward()
            kept.append([p.grad.clone() for p in params])
        write(params, [torch.stack(one).mean(0) for one in zip(*kept)])
        scaler.step(optimizer)
        scaler.update()
