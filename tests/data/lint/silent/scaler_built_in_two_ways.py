import torch
from torch.amp import GradScaler


class Base:
    def make_scaler(self, init_scale=None):
        if self.use_bf16:
            return GradScaler("cuda", enabled=False)
        return GradScaler("cuda", enabled=self.use_amp, init_scale=init_scale or 512.0)


class Trainer(Base):
    def __init__(self, model, config):
        self.model, self.use_amp, self.use_bf16 = model, config.amp, config.bf16
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = self.make_scaler()

    def fit(self, loader, dtype):
        for i, (x, y) in enumerate(loader):
            with torch.autocast("cuda", enabled=self.use_amp, dtype=dtype):
                loss = self.model(x, y) / 4
            if self.use_bf16:
                loss.backward()
            else:
                self.scaler.scale(loss).backward()
            if (i + 1) % 4 == 0:
                if self.use_amp and not self.use_bf16:
                    self.scaler.unscale_(self.optimizer)
                norm = sum(p.grad.norm().item() ** 2 for p in self.model.parameters())
                if norm > 1e6:
                    self.scaler.update()
                else:
                    torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                    if not self.use_amp or self.use_bf16:
                        self.optimizer.step()
                    else:
                        self.scaler.step(self.optimizer)
                    self.scaler.update()
                self.optimizer.zero_grad()


def scaler_of(device, enabled):
    return GradScaler(device, enabled=enabled)


class Helped:
    def __init__(self, model, config):
        self.model, self.amp, self.bf16 = model, config.amp, config.bf16
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = scaler_of("cuda", self.amp and not self.bf16)

    def fit(self, loader, dtype):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda", enabled=self.amp, dtype=dtype):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            if self.amp and not self.bf16:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()


class SpelledOut:
    def __init__(self, model, config):
        self.model, self.use_amp = model, config.amp
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        enabled = config.amp and torch.cuda.is_available()
        self.scaler = GradScaler("cuda", enabled=enabled)

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda", enabled=self.use_amp):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            if self.use_amp:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()


def asked_itself(model, loader, optimizer):
    scaler = GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        if scaler.is_enabled():
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def handed_in(model, loader, scaler, optimizer, use_amp):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        if use_amp:
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
        else:
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
