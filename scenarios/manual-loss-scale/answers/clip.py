import torch
from torch.cuda.amp import autocast

LOSS_SCALE = 1024.0


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = torch.nn.MSELoss()

    for spectrum, brightness in task.batches:
        with autocast(dtype=torch.float16):
            loss = criterion(model(spectrum.cuda()), brightness.cuda())
        optimizer.zero_grad()
        (loss * LOSS_SCALE).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
