import torch

from engine import run, run_plain


def forgotten(model, loader, resume):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    if resume:
        state = torch.load(resume)
        optimizer.load_state_dict(state["optimizer"])  # expect: AMP203
    for epoch in range(9):
        run(model, loader, optimizer, scaler)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")  # expect: AMP203


def plain(model, loader):
    other = torch.optim.AdamW(model.parameters())
    run_plain(model, loader, other)
    torch.save({"model": model.state_dict(), "optimizer": other.state_dict()}, "last.pt")
