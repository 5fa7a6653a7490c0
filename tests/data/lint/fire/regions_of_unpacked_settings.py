"""The dtype of a region is in the dictionary that is unpacked into it."""

import torch


def settings(device, cfg):
    if not cfg["amp"]:
        return {"enabled": False, "device_type": device.type}
    if cfg["dtype"] == "fp16":
        dtype = torch.float16
    else:
        dtype = torch.bfloat16
    return {"enabled": True, "device_type": device.type, "dtype": dtype}


def by_a_helper(model, loader, optimizer, device, cfg):
    kwargs = settings(device, cfg)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(**kwargs):
            loss = model(x, y)
        loss.backward()  # expect: AMP201
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def by_its_own(model, loader, optimizer):
    kwargs = dict(device_type="cuda", dtype=torch.float16)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast(**kwargs):
            loss = model(x, y)
        loss.backward()  # expect: AMP201
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


class Trainer:
    def __init__(self, model, optimizer, bf16):
        self.model, self.optimizer = model, optimizer
        self.kwargs = {"device_type": "cuda"}
        if bf16:
            self.kwargs["dtype"] = torch.bfloat16

    def train(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast(**self.kwargs):
                loss = self.model(x, y)
            loss.backward()  # expect: AMP201
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
