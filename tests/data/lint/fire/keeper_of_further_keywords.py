import torch
def save_checkpoint(path, **objects):
    torch.save({k: v.state_dict() for k, v in objects.items()}, path)  # expect: AMP203
def load_checkpoint(path, **objects):
    state = torch.load(path)
    for k, v in objects.items():
        v.load_state_dict(state[k])  # expect: AMP203
def main(G, D, loader, path):
    opt_g, opt_d = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
    scaler = torch.amp.GradScaler("cuda")
    load_checkpoint(path, G=G, D=D, opt_g=opt_g, opt_d=opt_d)
    for real in loader:
        with torch.autocast("cuda"):
            fake = G(real)
            ld = D(fake.detach()).mean() - D(real).mean()
        opt_d.zero_grad()
        scaler.scale(ld).backward()
        scaler.step(opt_d)
        with torch.autocast("cuda"):
            lg = -D(fake).mean()
        opt_g.zero_grad()
        scaler.scale(lg).backward()
        scaler.step(opt_g)
        scaler.update()
    save_checkpoint(path, G=G, D=D, opt_g=opt_g, opt_d=opt_d)
