import torch

from base_trainer import BaseTrainer


class Critic(BaseTrainer):
    """Its scaler steps an optimizer of its own, which the base does not keep."""

    def __init__(self, model, critic, optimizer, config, loader):
        super().__init__(model, torch.nn.CrossEntropyLoss(), optimizer, config)
        self.loader, self.critic = loader, critic
        self.critic_optimizer = torch.optim.AdamW(critic.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def _train_epoch(self, epoch):
        for x, y in self.loader:
            self.critic_optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.critic(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.critic_optimizer)
            self.scaler.update()
