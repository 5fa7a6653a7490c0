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
                loss = self.policy(x, y) + self.value(x, y)
            self.policy_optimizer.zero_grad()
            self.value_optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.policy_optimizer)
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 0.5)
            self.scaler.unscale_(self.value_optimizer)
            torch.nn.utils.clip_grad_norm_(self.value.parameters(), 0.5)
            self.scaler.step(self.policy_optimizer)
            self.scaler.step(self.value_optimizer)
            self.scaler.update()


class OneUnscaleForBoth:
    """Both optimizers update parts of one model, which one clip is about."""

    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.fine = torch.optim.SGD(model.parameters(), lr=0.1)
        self.scaler = torch.amp.GradScaler("cuda")

    def update(self, batches, late):
        for x, y in batches:
            optimizer = self.fine if late else self.optimizer
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
            self.scaler.step(optimizer)
            self.scaler.update()
