import torch


class Trainer:
    def __init__(self, model, args, device):
        self.model, self.args = model, args
        self.use_amp = args.amp and device.type == "cuda"
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.use_amp)

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=self.args.amp):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(model, loader, optimizer, fp16, amp):
    scaler = torch.amp.GradScaler("cuda", enabled=fp16)
    dtype = torch.float16 if fp16 else torch.bfloat16
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype, enabled=amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
