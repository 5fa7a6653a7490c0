import torch
from torch.distributions import Categorical


class RewardScaling:
    """Keeps rewards near unit variance by what was seen so far."""

    def __init__(self, device):
        self.count = 0
        self.total = torch.zeros((), dtype=torch.float16, device=device)
        self.squares = torch.zeros((), dtype=torch.float16, device=device)

    def __call__(self, rewards):
        self.count += rewards.numel()
        self.total += rewards.sum()
        self.squares += (rewards**2).sum()
        mean = self.total / self.count
        deviation = (self.squares / self.count - mean**2).clamp(min=0).sqrt()
        return (rewards - mean) / (deviation + 1e-3)


def train(task):
    policy = task.modules["policy"].cuda()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cuda")

    for context, rewards in task.batches:
        context, rewards = context.cuda(), rewards.cuda()
        with torch.autocast("cuda", dtype=torch.float16):
            logits = policy(context)
        choice = Categorical(logits=logits.float())
        action = choice.sample()
        earned = rewards.gather(1, action[:, None]).squeeze(1)
        advantage = (earned - earned.mean()) / earned.std()
        loss = -(advantage.float() * choice.log_prob(action)).mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
