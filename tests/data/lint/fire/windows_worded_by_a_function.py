import torch


def should_step(i, accum, n):
    return (i + 1) % accum == 0 or i + 1 == n


def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    optimizer.zero_grad(set_to_none=True)
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x.cuda()), y.cuda())
        scaler.scale(loss).backward()  # expect: AMP115
        if should_step(i, accum, len(loader)):
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)


class Trainer:
    def __init__(self, model, accum):
        self.model, self.accum, self.micro = model, accum, 0
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    @property
    def is_boundary(self):
        return self.micro % self.accum == 0

    def is_due(self, i):
        """Whether to step."""
        return (i + 1) % self.accum == 0

    def by_property(self, loader):
        for x, y in loader:
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(self.model(x.cuda()), y.cuda())
            self.scaler.scale(loss).backward()  # expect: AMP115
            self.micro += 1
            if self.is_boundary:
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad()

    def by_method(self, loader):
        for i, (x, y) in enumerate(loader):
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(self.model(x.cuda()), y.cuda())
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimizer)  # expect: AMP105
            if not self.is_due(i):
                continue
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
