import torch


class Trainer:
    def __init__(self, cfg, model):
        self.model = model
        self.dtype = torch.bfloat16 if cfg.dtype == "bf16" else torch.float32
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda") if self.dtype == torch.float16 else None

    def step(self, x, y, scheduler):
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = self.model(x, y)
        if self.scaler:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
        scheduler.step()
        self.optimizer.zero_grad()

    def save(self, path):
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        self.optimizer.load_state_dict(torch.load(path)["optimizer"])
