import torch


def train(generator, critic, loader):
    g_optimizer = torch.optim.Adam(generator.parameters())
    c_optimizer = torch.optim.Adam(critic.parameters())
    g_scaler, c_scaler = torch.amp.GradScaler("cuda"), torch.amp.GradScaler("cuda")
    for real, noise in loader:
        with torch.autocast("cuda"):
            fake = generator(noise)
            c_loss = critic(real, fake.detach())
        c_optimizer.zero_grad()
        c_scaler.scale(c_loss).backward()
        c_scaler.step(c_optimizer)
        c_scaler.update()
        with torch.autocast("cuda"):
            g_loss = -critic(real, fake)
        g_optimizer.zero_grad()
        g_loss.backward()  # expect: AMP108
        g_scaler.step(g_optimizer)
        g_scaler.update()
