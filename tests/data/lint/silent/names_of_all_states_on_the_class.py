import torch


class Learner:
    _stateful = ("model", "optimizer", "scaler")

    def __init__(self, model, lr):
        self.model = model.cuda()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr)
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, loader):
        for x, y in loader:
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(self.model(x.cuda()), y.cuda())
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        torch.save({n: getattr(self, n).state_dict() for n in self._stateful}, "learner.pt")

    def load(self):
        state = torch.load("learner.pt")
        for n in self._stateful:
            getattr(self, n).load_state_dict(state[n])
