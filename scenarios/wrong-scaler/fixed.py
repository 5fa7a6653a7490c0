import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast


class Agent:
    def __init__(self, policy, value):
        self.policy, self.value = policy.cuda(), value.cuda()
        self.policy_optimizer = torch.optim.SGD(self.policy.parameters(), lr=0.1, momentum=0.9)
        self.value_optimizer = torch.optim.SGD(self.value.parameters(), lr=0.02, momentum=0.9)
        self.policy_scaler = GradScaler("cuda", init_scale=1024.0)
        self.value_scaler = GradScaler("cuda")

    def learn(self, context, rewards):
        with autocast("cuda"):
            policy = F.softmax(self.policy(context), dim=-1)
            value = self.value(context).squeeze(-1)
            paid = (policy * rewards).sum(dim=-1)
            value_loss = F.mse_loss(value, paid.detach())
            advantage = rewards - value.detach().unsqueeze(-1)
            policy_loss = -(policy * advantage).sum(dim=-1).mean()

        self.value_optimizer.zero_grad()
        self.value_scaler.scale(value_loss).backward()
        self.value_scaler.step(self.value_optimizer)

        self.policy_optimizer.zero_grad()
        self.policy_scaler.scale(policy_loss).backward()
        self.policy_scaler.step(self.policy_optimizer)
        self.policy_scaler.update()
        self.value_scaler.update()


def train(task):
    agent = Agent(**task.modules)
    for context, rewards in task.batches:
        agent.learn(context.cuda(), rewards.cuda())
