import torch


def train(netD, netG, loader):
    optD = torch.optim.Adam(netD.parameters(), 1e-4)
    optG = torch.optim.Adam(netG.parameters(), 1e-4)
    scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        optD.zero_grad()
        scaler.scale(netD(real) - netD(netG(noise).detach())).backward()
        scaler.unscale_(optD)
        torch.nn.utils.clip_grad_norm_(netD.parameters(), 1.0)
        scaler.step(optD)
        optG.zero_grad()
        scaler.scale(-netD(netG(noise))).backward()
        scaler.unscale_(optG)
        torch.nn.utils.clip_grad_norm_(netG.parameters(), 1.0)
        scaler.step(optG)
        scaler.update()
