import torch
import torch.nn.functional as F
from torch.cuda import amp


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scaler = amp.GradScaler()

    for composition, spectrum in task.batches:
        composition, spectrum = composition.cuda(), spectrum.cuda()
        with amp.autocast():
            loss = F.mse_loss(model(composition), spectrum, reduction="sum")
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        for parameter in model.parameters():
            parameter.grad.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
        scaler.step(optimizer)
        scaler.update()
