import torch
from torch.amp import GradScaler, autocast


class Agent:
    def __init__(self, critic):
        self.critic = critic.to("cuda")
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=1e-2)
        self.scaler = GradScaler("cuda")

    def learn(self, state, action, reward):
        with autocast("cuda"):
            value = self.critic(state).gather(1, action)
            loss = torch.nn.functional.smooth_l1_loss(value, reward)
        self.scaler.scale(loss).backward()
        self.optimizer.zero_grad()
        self.optimizer.step()


def train(task):
    agent = Agent(task.modules["critic"])
    for batch in task.batches:
        agent.learn(*(tensor.to("cuda") for tensor in batch))
