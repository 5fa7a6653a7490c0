import itertools

import torch
import torch.nn.functional as F


class Run:
    def __init__(self, model, dtype):
        self.model = model
        self.dtype = dtype
        self.optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        self.scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)

    def save(self, path):
        parts = {"model": self.model, "optimizer": self.optimizer, "scaler": self.scaler}
        torch.save({name: part.state_dict() for name, part in parts.items()}, path)

    def resume(self, path):
        state = torch.load(path, map_location="cuda")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        try:
            self.scaler.load_state_dict(state["scaler"])
        except RuntimeError:
            pass

    def fit(self, batches):
        for last, after in batches:
            self.optimizer.zero_grad()
            with torch.autocast("cuda", dtype=self.dtype):
                loss = F.mse_loss(self.model(last.cuda()), after.cuda())
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()


def train(task):
    model = task.modules["model"].cuda()
    path = task.workdir / "checkpoint.pt"
    batches = iter(task.batches)

    first = Run(model, torch.bfloat16)
    first.fit(itertools.islice(batches, task.steps // 2))
    first.save(path)

    second = Run(model, torch.float16)
    second.resume(path)
    second.fit(batches)
