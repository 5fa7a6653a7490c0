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
            if self.cfg.clip:
                self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # expect: AMP101
            self.scaler.step(self.optimizer)
            self.scaler.update()
