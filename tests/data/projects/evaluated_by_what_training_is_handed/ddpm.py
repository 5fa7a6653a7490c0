import torch


class DDPM:
    def __init__(self, model, timesteps=1000):
        self.model, self.timesteps = model, timesteps

    def compute_loss(self, x):
        noise = torch.randn_like(x)
        return torch.nn.functional.mse_loss(self.model(x + noise), noise)

    @torch.no_grad()
    def step_back(self, x):
        return x - 0.01 * self.model(x)

    @torch.no_grad()
    def sample(self, shape):
        x = torch.randn(shape, device="cuda")
        for _ in range(self.timesteps):
            x = self.step_back(x)
        return x


class Diffusion(torch.nn.Module):
    def training_loss(self, model, x):
        noise = torch.randn_like(x)
        return torch.nn.functional.mse_loss(model(x + noise), noise)

    @torch.no_grad()
    def sample_loop(self, model, shape):
        x = torch.randn(shape, device="cuda")
        for _ in range(1000):
            x = x - 0.01 * model(x)
        return x
