import logging
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.amp import GradScaler, autocast


@dataclass
class Config:
    enabled: bool = True
    init_scale: float = 65536.0
    max_norm: float = 1.0
    use_bfloat16: bool = False


class Trainer:
    def __init__(self, net: nn.Module, config: Config):
        self.net, self.config = net, config
        if config.enabled and config.use_bfloat16:
            self.convert()
        self.scaler = GradScaler("cuda", init_scale=config.init_scale)
        self.skipped = 0
        self.losses = []
        self.log = logging.getLogger(__name__)

    def convert(self):
        for layer in self.net.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                layer.weight.data = layer.weight.data.to(torch.bfloat16)

    def step(self, images, labels, optim):
        start = time.perf_counter()
        optim.zero_grad()
        if self.config.enabled:
            with autocast("cuda", dtype=torch.bfloat16 if self.config.use_bfloat16 else torch.float16):
                loss = self.objective(self.net(images), labels)
        else:
            loss = self.objective(self.net(images), labels)
        if self.config.enabled:
            scaled_loss = self.scaler.scale(loss)
            scaled_loss.backward()
            self.scaler.unscale_(optim)
            norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.max_norm).item()
            if not self.overflow():
                self.scaler.step(optim)
                self.scaler.update()
            else:
                self.skipped += 1
                self.log.warning("overflow")
        else:
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.max_norm).item()
            optim.step()
        self.losses.append(loss.item())
        return {"loss": loss.item(), "norm": norm, "seconds": time.perf_counter() - start}

    def objective(self, logits, labels):
        return nn.CrossEntropyLoss()(logits.float(), labels)

    def overflow(self):
        for weight in self.net.parameters():
            if weight.grad is not None and not torch.isfinite(weight.grad).all():
                return True
        return False

    def save(self, path, optim, epoch):
        state = {"epoch": epoch, "net": self.net.state_dict(), "optim": optim.state_dict(), "config": self.config}
        if self.config.enabled:
            state["scaler"] = self.scaler.state_dict()
        torch.save(state, path)

    def load(self, path, optim):
        state = torch.load(path, map_location="cuda")
        self.net.load_state_dict(state["net"])
        optim.load_state_dict(state["optim"])
        if self.config.enabled and "scaler" in state:
            self.scaler.load_state_dict(state["scaler"])
        return state.get("epoch", 0)
