import torch


class Trainer:
    def __init__(self, model, optimizer, micro_steps):
        self.model, self.optimizer, self.micro_steps = model, optimizer, micro_steps
        self.scaler = torch.amp.GradScaler("cuda")

    def backward(self, x, y):
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(self.model(x), y)
        self.scaler.scale(loss / self.micro_steps).backward()

    def train(self, batches, turns):
        for _ in range(turns):
            for micro_step in range(self.micro_steps):
                self.backward(*next(batches))
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()


class Handed:
    def __init__(self, model, optimizer, micro_steps):
        self.model, self.optimizer, self.micro_steps = model, optimizer, micro_steps
        self.scaler = torch.amp.GradScaler("cuda")

    def loss(self, x, y):
        with torch.autocast("cuda"):
            return torch.nn.functional.cross_entropy(self.model(x), y)

    def run(self, loss):
        self.scaler.scale(loss).backward()

    def train(self, batches, turns):
        for _ in range(turns):
            for micro_step in range(self.micro_steps):
                self.run(self.loss(*next(batches)) / self.micro_steps)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()


class Weighed:
    def __init__(self, model, optimizer, micro_steps):
        self.model, self.optimizer, self.micro_steps = model, optimizer, micro_steps
        self.scaler = torch.amp.GradScaler("cuda")

    def run(self, x, y, weight):
        with torch.autocast("cuda"):
            loss = torch.nn.functional.cross_entropy(self.model(x), y)
        weighed = loss * weight
        self.scaler.scale(weighed).backward()

    def train(self, batches, turns):
        for _ in range(turns):
            for micro_step in range(self.micro_steps):
                self.run(*next(batches), weight=1.0 / self.micro_steps)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
