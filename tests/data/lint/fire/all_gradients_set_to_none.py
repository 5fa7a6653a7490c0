import torch


def clear(model):
    for p in model.parameters():
        if p.grad is not None:
            p.grad = None  # expect: AMP120


def in_a_helper(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        clear(model)
        scaler.step(optimizer)
        scaler.update()


def inline(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        for p in model.parameters():
            p.grad = None  # expect: AMP120
        scaler.step(optimizer)
        scaler.update()


def of_the_module(model, critic, loader):
    optimizer = torch.optim.Adam(model.parameters())
    other = torch.optim.Adam(critic.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        model.zero_grad()  # expect: AMP120
        scaler.step(optimizer)
        scaler.update()
        critic.zero_grad()
        scaler.scale(critic(x, y)).backward()
        scaler.step(other)
        scaler.update()
