import torch
import torch.nn.functional as F

PEAK_LR = 2e-2
DECAY = 0.8  # per step


class VAETrainer:
    def __init__(self, vae, device):
        self.vae = vae.to(device)
        self.device = device
        self.optimizer = torch.optim.Adam(self.vae.parameters(), lr=PEAK_LR)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, gamma=DECAY)

    def elbo(self, image):
        reconstruction, mean, log_var = self.vae(image)
        distortion = F.mse_loss(reconstruction, image, reduction="sum")
        rate = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
        return distortion + rate

    def step(self, image):
        self.optimizer.zero_grad()
        loss = self.elbo(image.to(self.device))
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.detach()

    def fit(self, batches):
        self.vae.train()
        for (image,) in batches:
            self.step(image)


def train(task):
    VAETrainer(task.modules["vae"], "cuda").fit(task.batches)
