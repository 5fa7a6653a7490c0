import torch
import torch.nn.functional as F
from torch import amp


class Run:
    def __init__(self, model, fp16=True):
        self.model = model.cuda()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=4e-3)
        self.scaler = amp.GradScaler("cuda", enabled=fp16, growth_interval=200)
        self.fp16 = fp16

    def step(self, images, labels):
        self.optimizer.zero_grad()
        with amp.autocast("cuda", enabled=self.fp16):
            loss = F.cross_entropy(self.model(images), labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def save(self, path):
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        torch.save(state, path)

    def resume(self, path):
        state = torch.load(path, map_location="cuda", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if "scaler" in state:
            self.scaler.load_state_dict(state["scaler"])


def train(task):
    run = Run(task.modules["model"])
    for step, (images, labels) in enumerate(task.batches):
        run.step(images.cuda(), labels.cuda())
        if step == task.steps // 2:
            run.save(task.workdir / "last.pt")
            run = Run(task.modules["model"])
            run.resume(task.workdir / "last.pt")
