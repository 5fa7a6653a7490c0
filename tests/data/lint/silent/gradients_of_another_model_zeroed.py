import torch


def train(G, D, loader, opt_g, opt_d):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        opt_g.zero_grad()
        with torch.autocast("cuda"):
            loss = D(G(x)).mean()
        scaler.scale(loss).backward()
        D.zero_grad()
        scaler.step(opt_g)
        with torch.autocast("cuda"):
            loss = D(G(x).detach()).mean() - D(y).mean()
        scaler.scale(loss).backward()
        scaler.step(opt_d)
        scaler.update()


def main(G, D, loader):
    opt_g = torch.optim.Adam(G.parameters())
    opt_d = torch.optim.Adam(D.parameters())
    train(G, D, loader, opt_g, opt_d)


def train_both(G, D, loader):
    opt_g = torch.optim.Adam(G.parameters())
    opt_d = torch.optim.Adam(D.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        opt_g.zero_grad()
        with torch.autocast("cuda"):
            loss = D(G(x)).mean()
        scaler.scale(loss).backward()
        for p in D.parameters():
            p.grad = None
        scaler.step(opt_g)
        with torch.autocast("cuda"):
            loss = D(G(x).detach()).mean() - D(y).mean()
        scaler.scale(loss).backward()
        scaler.step(opt_d)
        scaler.update()
