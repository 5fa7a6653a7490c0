import torch


class Run:
    def __init__(self, model, dtype):
        self.model, self.dtype = model, dtype
        self.optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        self.scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)

    def fit(self, batches):
        for x, y in batches:
            self.optimizer.zero_grad()
            with torch.autocast("cuda", dtype=self.dtype):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()


def train(model, batches):
    first = Run(model, torch.bfloat16)
    first.fit(batches[:10])
    second = Run(model, torch.float16)
    second.fit(batches[10:])
