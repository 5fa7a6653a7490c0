import torch
import torch.nn.functional as F


class Adversarial:
    def __init__(self, generator, discriminator, weight=0.002):
        self.generator, self.discriminator = generator.cuda(), discriminator.cuda()
        self.opt_g = torch.optim.Adam(self.generator.parameters(), lr=3e-3, betas=(0.5, 0.99))
        self.opt_d = torch.optim.Adam(self.discriminator.parameters(), lr=1e-3, betas=(0.5, 0.99))
        self.scaler = torch.GradScaler("cuda")
        self.weight = weight

    def judge(self, upper, lower):
        return self.discriminator(torch.cat([upper, lower.to(upper.dtype)], dim=1))

    def step(self, upper, lower):
        with torch.autocast("cuda"):
            fake = self.generator(upper)
            real_score, fake_score = self.judge(upper, lower), self.judge(upper, fake.detach())
            loss_d = F.mse_loss(real_score, torch.ones_like(real_score)) + fake_score.square().mean()
        self.opt_d.zero_grad()
        self.scaler.scale(loss_d).backward()
        self.scaler.step(self.opt_d)

        with torch.autocast("cuda"):
            score = self.judge(upper, fake)
            loss_g = F.mse_loss(fake, lower) + self.weight * F.mse_loss(score, torch.ones_like(score))
        self.opt_g.zero_grad()
        self.scaler.scale(loss_g).backward()
        self.scaler.step(self.opt_g)
        self.scaler.update()


def train(task):
    game = Adversarial(**task.modules)
    for upper, lower in task.batches:
        game.step(upper.cuda(), lower.cuda())
