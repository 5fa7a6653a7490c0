import torch


class Trainer:
    def raw_model(self):
        return getattr(self.model, "module", self.model)

    def compute(self, x, level):
        features = self.model.forward_features(x)
        return self.model(features * level)

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                features = self.model.forward_with_maps(x)
                loss = self.criterion(self.compute(x, 2) + features, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def evaluate(self, loader):
        model = self.model
        if self.ema is not None:
            model = self.ema.ema
        model.eval()
        with torch.no_grad():
            for x, _ in loader:
                yield model(x)  # expect: AMP304

    def score(self, loader):
        model = self.raw_model()
        with torch.no_grad():
            for x, _ in loader:
                yield model(x)  # expect: AMP304

    @torch.no_grad()
    def validate(self, loader):
        for x, _ in loader:
            for level in (1, 2):
                yield self.compute(x, level)  # expect: AMP304


def train(model, loader, optimizer, criterion):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@torch.no_grad()
def validate(model, loader):
    for x in loader:
        yield model.module(x)  # expect: AMP304


def run(net, loader, held_out, optimizer, criterion):
    train(net, loader, optimizer, criterion)
    return validate(net, held_out)
