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
        self.scaler = torch.amp.GradScaler()

    def elbo(self, image):
        reconstruction, mean, log_var = self.vae(image)
        distortion = F.mse_loss(reconstruction, image, reduction="sum")
        rate = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
        return distortion + rate

    def step(self, image):
        self.optimizer.zero_grad()
        with torch.amp.autocast("cuda", dtype=torch.float16):
            loss = self.elbo(image.to(self.device))
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.optimizer.state and self.optimizer.state[next(self.vae.parameters())]["step"] > self.scheduler.last_epoch:
            self.scheduler.step()
        return loss.detach()

    def fit(self, batches):
        self.vae.train()
        for (image,) in batches:
            self.step(image)


def train(task):
    VAETrainer(task.modules["vae"], "cuda").fit(task.batches)
