import torch


def run(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def epochs(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(10):
        scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
        run(model, loader, optimizer, scaler)


class Fitter:
    def __init__(self, model, optimizer, scaler):
        self.model, self.scaler = model, scaler
        self.optimizer = optimizer

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


def stages(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(3):
        scaler = torch.amp.GradScaler("cuda")  # expect: AMP202
        fitter = Fitter(model, optimizer, scaler)
        fitter.fit(loader)
