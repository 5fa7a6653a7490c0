import torch


class Optimizers:
    def __init__(self, groups, limits):
        self.optimizers = {name: torch.optim.Adam(parameters) for name, parameters in groups.items()}
        self.parameters, self.limits = groups, limits

    def step_some(self, scaler, names):
        for name in names:
            optimizer = self.optimizers[name]
            limit = self.limits[name]
            if limit is not None:
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_norm_(self.parameters[name], limit)
            if any(any(p.grad is not None for p in group["params"]) for group in optimizer.param_groups):
                scaler.step(optimizer)


class Trainer:
    def __init__(self, model, optimizers):
        self.model, self.optimizers = model, optimizers
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, loader, names):
        optimizers = Optimizers({name: list(self.model.parameters()) for name in names}, {})
        for x, y in loader:
            self.model.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            optimizers.step_some(self.scaler, names)
            self.scaler.update()
