import torch


def train(models, loader, lrs):
    optimizers = {k: torch.optim.AdamW(m.parameters(), lr=lrs[k]) for k, m in models.items()}
    scalers = {k: torch.amp.GradScaler("cuda") for k in models}
    for batch in loader:
        for k, model in models.items():
            optimizers[k].zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = model(batch[k])
            scalers[k].scale(loss).backward()
            scalers[k].step(optimizers[k])
            scalers[k].update()
    state = {"optimizers": {k: o.state_dict() for k, o in optimizers.items()},
             "scalers": {k: s.state_dict() for k, s in scalers.items()}}
    torch.save(state, "all.pt")


class Trainer:
    def __init__(self, nets):
        self.nets = nets
        self.opts = [torch.optim.Adam(n.parameters()) for n in nets]
        self.scalers = [torch.amp.GradScaler("cuda") for _ in nets]

    def step(self, x):
        for net, opt, scaler in zip(self.nets, self.opts, self.scalers):
            opt.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.float16):
                loss = net(x)
            scaler.scale(loss).backward()
            scaler.step(opt)
            scaler.update()

    def save(self, path):
        torch.save({"opts": [o.state_dict() for o in self.opts], "scalers": [s.state_dict() for s in self.scalers]}, path)

    def load(self, path):
        state = torch.load(path)
        for o, s in zip(self.opts, state["opts"]):
            o.load_state_dict(s)
        for o, s in zip(self.scalers, state["scalers"]):
            o.load_state_dict(s)
