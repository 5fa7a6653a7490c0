import torch


class Trainer:
    def __init__(self, model, loader, val_loader, evaluator=None, report=None):
        self.model, self.loader, self.val_loader = model, loader, val_loader
        self.evaluator, self.report = evaluator, report
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, epochs):
        for _ in range(epochs):
            self.epoch()
            self.validate()

    def epoch(self):
        for images, labels in self.loader:
            self.optimizer.zero_grad()
            with torch.amp.autocast("cuda"):
                loss = torch.nn.functional.cross_entropy(self.model(images), labels)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        if self.report is not None:
            with torch.amp.autocast("cuda"):
                self.report.evaluate(self.model, self.val_loader, "cuda")
        if self.evaluator is not None:
            self.evaluator.evaluate(self.model, self.val_loader, "cuda")
