import torch


def save(path, epoch, nets, optimizers):
    state = {"epoch": epoch}
    for name, net in nets.items():
        state[f"net_{name}"] = net.state_dict()
    for name, optimizer in optimizers.items():
        state[f"opt_{name}"] = optimizer.state_dict()  # expect: AMP203
    torch.save(state, path)


def resume(path, nets, optimizers):
    state = torch.load(path)
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(state[f"opt_{name}"])  # expect: AMP203
    return state["epoch"] + 1


def main(G, D, loader, epochs):
    opt_g, opt_d = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
    scaler = torch.amp.GradScaler("cuda")
    nets, optimizers = {"G": G, "D": D}, {"G": opt_g, "D": opt_d}
    start = resume("last.pt", nets, optimizers)
    for epoch in range(start, epochs):
        for real in loader:
            with torch.autocast("cuda"):
                fake = G(torch.randn(8, 64, device="cuda"))
                loss_d = (D(fake.detach()) - D(real)).mean()
            opt_d.zero_grad()
            scaler.scale(loss_d).backward()
            scaler.step(opt_d)
            with torch.autocast("cuda"):
                loss_g = -D(fake).mean()
            opt_g.zero_grad()
            scaler.scale(loss_g).backward()
            scaler.step(opt_g)
            scaler.update()
        save("last.pt", epoch, nets, optimizers)
