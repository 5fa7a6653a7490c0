"""A flag is copied in the constructor, and the configuration kept beside it."""

import torch


class Trainer:
    def __init__(self, model, cfg):
        self.model, self.cfg = model, cfg
        self.use_amp = cfg.amp
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.use_amp)

    def epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16, enabled=self.use_amp):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
            self.scaler.scale(loss).backward()
            if self.cfg.amp:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()


class Optional:
    def __init__(self, model, args):
        self.model, self.args = model, args
        self.fp16 = args.fp16
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda") if args.fp16 else None

    def epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16, enabled=self.args.fp16):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
            if self.fp16:
                self.scaler.scale(loss).backward()
            else:
                loss.backward()
            if self.args.fp16:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            if self.fp16:
                self.scaler.step(self.optimizer)
                self.scaler.update()
            else:
                self.optimizer.step()


class Entries:
    def __init__(self, model, config):
        self.model, self.config = model, config
        self.fp16 = config["train"]["fp16"]
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda", enabled=config["train"]["fp16"])

    def epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16, enabled=self.fp16):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
            self.scaler.scale(loss).backward()
            if self.fp16:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()
