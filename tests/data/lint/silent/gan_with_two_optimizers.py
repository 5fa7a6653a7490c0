import torch


class Training:
    """The usual order: both zeroed at the top, an update() behind each step, gradients of one loss in the other's net."""

    def __init__(self, generator, discriminator):
        self.generator, self.discriminator = generator, discriminator
        self.optG = torch.optim.Adam(generator.parameters(), 2e-4)
        self.optD = torch.optim.Adam(discriminator.parameters(), 2e-4)
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, real, noise):
        self.optD.zero_grad()
        self.optG.zero_grad()
        with torch.autocast("cuda"):
            fake = self.generator(noise)
            loss_d = self.discriminator(real, fake.detach())
        self.scaler.scale(loss_d).backward()
        self.scaler.unscale_(self.optD)
        torch.nn.utils.clip_grad_norm_(self.discriminator.parameters(), 1.0)
        self.scaler.step(self.optD)
        self.scaler.update()
        with torch.autocast("cuda"):
            loss_g = self.discriminator(real, fake)
        self.scaler.scale(loss_g).backward()
        self.scaler.unscale_(self.optG)
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        self.scaler.step(self.optG)
        self.scaler.update()

    def fit(self, loader):
        for real, noise in loader:
            self.step(real, noise)


def one_in_float32(netD, netG, loader, optD, optG):
    scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        optD.zero_grad()
        netD(real, netG(noise).detach()).backward()
        optD.step()
        optG.zero_grad()
        with torch.autocast("cuda"):
            loss = netD(real, netG(noise))
        scaler.scale(loss).backward()
        scaler.step(optG)
        scaler.update()
