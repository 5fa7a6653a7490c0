import torch


def train(generator, critic, loader, g_optim, d_optim, every):
    scaler = torch.amp.GradScaler("cuda")
    for i, real in enumerate(loader):
        with torch.autocast("cuda"):
            d_loss = critic(generator(real).detach()).mean() - critic(real).mean()
        d_optim.zero_grad()
        scaler.scale(d_loss).backward()
        scaler.step(d_optim)
        scaler.update()
        if i % every == 0:
            with torch.autocast("cuda"):
                r1_loss = critic(real).square().mean()
            d_optim.zero_grad()
            scaler.scale(every * r1_loss).backward()
            scaler.step(d_optim)
            scaler.update()
        with torch.autocast("cuda"):
            g_loss = -critic(generator(real)).mean()
        g_optim.zero_grad()
        scaler.scale(g_loss).backward()
        scaler.step(g_optim)
        scaler.update()
