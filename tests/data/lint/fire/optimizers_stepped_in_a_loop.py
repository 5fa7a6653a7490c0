import torch


class Pair:
    def __init__(self, a, b):
        self.a, self.b = a, b
        self.nets = [a, b]
        self.optimizers = [torch.optim.Adam(a.parameters()), torch.optim.Adam(b.parameters())]
        self.scaler = torch.amp.GradScaler("cuda")

    def loss(self, x, y):
        with torch.autocast("cuda", dtype=torch.float16):
            return torch.nn.functional.cross_entropy(self.b(self.a(x)), y)

    def zero(self):
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def update_in_the_loop(self, x, y):
        self.zero()
        self.scaler.scale(self.loss(x, y)).backward()
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
            self.scaler.update()  # expect: AMP111

    def clip_in_the_loop(self, x, y):
        self.zero()
        self.scaler.scale(self.loss(x, y)).backward()
        for net, optimizer in zip(self.nets, self.optimizers):
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # expect: AMP101
            self.scaler.step(optimizer)
        self.scaler.update()

    def right(self, x, y):
        self.zero()
        self.scaler.scale(self.loss(x, y)).backward()
        for net, optimizer in zip(self.nets, self.optimizers):
            self.scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for index, optimizer in enumerate(self.optimizers):
            self.scaler.step(optimizer)
            print(index, len(self.optimizers))
        self.scaler.update()

    def one_loss_each(self, x, y):
        for optimizer in self.optimizers:
            optimizer.zero_grad()
            self.scaler.scale(self.loss(x, y)).backward()
            self.scaler.step(optimizer)
            self.scaler.update()


class Single:
    def __init__(self, a):
        self.a = a
        self.optimizers = [torch.optim.Adam(a.parameters())]
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, x):
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = self.a(x).mean()
        self.scaler.scale(loss).backward()
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
            self.scaler.update()
