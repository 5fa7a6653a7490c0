import torch


class Trainer:
    def __init__(self, model, config):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")
        self.config = config

    def run(self, loader):
        for i, (x, y) in enumerate(loader):
            with torch.autocast("cuda"):
                loss = torch.nn.functional.cross_entropy(self.model(x), y) / 4
            self.scaler.scale(loss).backward()
            if (i + 1) % 4 == 0:
                self.scaler.unscale_(self.optimizer)  # expect: AMP105
                if torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0) > self.config.limit:
                    break
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad()


def main(first, loader, config):
    trainer = Trainer(first, config)
    trainer.run(loader)
    trainer.run(loader)
