import torch


class GAN:
    def __init__(self, generator, critic):
        self.generator, self.critic = generator, critic
        self.opt_g = torch.optim.Adam(generator.parameters())
        self.opt_c = torch.optim.Adam(critic.parameters())
        self.scaler_g = torch.amp.GradScaler("cuda")
        self.scaler_c = torch.amp.GradScaler("cuda")

    def step(self, x, y):
        self.opt_g.zero_grad()
        self.opt_c.zero_grad()
        with torch.autocast("cuda"):
            real, fake = self.critic(x, y), self.generator(x, y)
        self.scaler_c.scale(real).backward()
        self.scaler_c.step(self.opt_c)
        self.scaler_c.update()
        self.scaler_g.scale(fake).backward()
        self.scaler_g.step(self.opt_g)
        self.scaler_g.update()

    def save(self, path):
        state = {
            "opt_g": self.opt_g.state_dict(),
            "opt_c": self.opt_c.state_dict(),  # expect: AMP203
            "scaler": self.scaler_g.state_dict(),
        }
        torch.save(state, path)

    def save_both(self, path):
        state = {
            "opt_g": self.opt_g.state_dict(),
            "opt_c": self.opt_c.state_dict(),
            "scaler_g": self.scaler_g.state_dict(),
            "scaler_c": self.scaler_c.state_dict(),
        }
        torch.save(state, path)
