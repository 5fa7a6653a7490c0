import torch
from torch import nn


class Precision:
    def __init__(self):
        self.dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.dtype == torch.float16)

    def region(self):
        return torch.autocast("cuda", dtype=self.dtype)


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    precision = Precision()

    for spectrum, count in task.batches:
        optimizer.zero_grad()
        with precision.region():
            loss = criterion(model(spectrum.cuda()), count.cuda())
        precision.scaler.scale(loss).backward()
        precision.scaler.step(optimizer)
        precision.scaler.update()
