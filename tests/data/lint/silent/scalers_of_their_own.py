import torch


class GradScaler(torch.amp.GradScaler):
    """Steps in its own way: inside a scaler its protocol is not torch's."""

    def step(self, optimizer, *args):
        self.unscale_(optimizer)
        if self.get_scale() > 1.0:
            optimizer.step(*args)

    def shrink(self):
        self.update(self.get_scale() / 2)
        self.update(1.0)


def each_with_its_own(nets, loader):
    first, second = (torch.optim.SGD(net.parameters(), 0.1) for net in nets)
    a, b = torch.amp.GradScaler("cuda"), torch.amp.GradScaler("cuda")
    for x, y in loader:
        first.zero_grad()
        with torch.autocast("cuda"):
            loss = nets[0](x, y)
        a.scale(loss).backward()
        a.step(first)
        a.update()
        second.zero_grad()
        with torch.autocast("cuda"):
            loss = nets[1](x, y)
        b.scale(loss).backward()
        b.step(second)
        b.update()
