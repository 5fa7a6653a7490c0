import torch


class Learner:
    def __init__(self, policy, value):
        self.policy, self.value = policy, value
        self.policy_optimizer = torch.optim.Adam(policy.parameters())
        self.value_optimizer = torch.optim.Adam(value.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def update(self, batches):
        for x, y in batches:
            with torch.autocast("cuda"):
                policy_loss, value_loss = self.policy(x, y), self.value(x, y)
            self.policy_optimizer.zero_grad()
            self.value_optimizer.zero_grad()
            self.scaler.scale(policy_loss).backward()
            self.scaler.scale(value_loss).backward()
            self.scaler.unscale_(self.policy_optimizer)
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 0.5)
            torch.nn.utils.clip_grad_norm_(self.value.parameters(), 0.5)  # expect: AMP101
            self.scaler.step(self.policy_optimizer)
            self.scaler.step(self.value_optimizer)
            self.scaler.update()
