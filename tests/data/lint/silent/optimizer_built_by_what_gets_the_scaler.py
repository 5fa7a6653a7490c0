"""Nothing that the scaler steps outlives the turn."""

import torch


def run(model, loader, params, scaler):
    optimizer = torch.optim.AdamW(params)
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def folds(build, splits):
    for train_loader, val_loader in splits:
        model = build().cuda()
        scaler = torch.amp.GradScaler("cuda")
        run(model, train_loader, model.parameters(), scaler)


class Fitter:
    def __init__(self, model, scaler):
        self.model, self.scaler = model, scaler
        self.optimizer = torch.optim.AdamW(model.parameters())

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


def trials(build, grid, loader):
    for lr in grid:
        scaler = torch.amp.GradScaler("cuda")
        fitter = Fitter(build(lr), scaler)
        fitter.fit(loader)
