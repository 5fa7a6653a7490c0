import torch
from amp import amp_components
from metrics import unwrapped


class Distilled(torch.nn.Module):
    def forward(self, x):
        with torch.no_grad():
            target = self.teacher(x)
        return self.student(x) - target

    def fit(self, loader, held_out, optimizer, config):
        context, scaler = amp_components(config)
        for x, _ in loader:
            optimizer.zero_grad()
            with context:
                loss = self.forward(x)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        self.student.eval()
        with torch.no_grad():
            unwrapped(self.student, held_out)  # expect: AMP304

    @torch.no_grad()
    def rate(self, loader):
        self.teacher.eval()
        for x, y in loader:
            print(self.teacher(x))
        for x, y in loader:
            print(self.student(x), y)  # expect: AMP304
