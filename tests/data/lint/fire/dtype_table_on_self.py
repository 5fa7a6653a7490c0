import torch


class Trainer:
    def __init__(self, model, precision="bf16"):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float16)
        self.scaler = torch.amp.GradScaler("cuda")  # expect: AMP204

    def step(self, batch):
        self.optimizer.zero_grad()
        with torch.autocast("cuda", dtype=self.dtype):
            loss = self.model(batch)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
