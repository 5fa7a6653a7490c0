import torch


def step(model, optimizer, scaler, x, y):
    with torch.amp.autocast("cuda", dtype=torch.float16):
        loss = torch.nn.functional.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()


def as_torch_wrote_it(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.detach_().zero_()
        step(model, optimizer, scaler, x, y)


def filled(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        for p in model.parameters():
            if p.grad is not None:
                p.grad.fill_(0.0)
        step(model, optimizer, scaler, x, y)


def listed(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        for grad in grads:
            grad.zero_()
        step(model, optimizer, scaler, x, y)


def all_at_once(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        torch._foreach_zero_(grads)
        step(model, optimizer, scaler, x, y)


def in_place(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        torch._foreach_zero_([p.grad for p in model.parameters() if p.grad is not None])
        step(model, optimizer, scaler, x, y)
