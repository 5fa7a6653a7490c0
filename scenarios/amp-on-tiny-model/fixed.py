import torch
import torch.nn.functional as F
from torch import nn


def train(task):
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    model.load_state_dict(task.modules["model"].state_dict())
    task.modules["model"] = model = model.cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    for measured, target in task.batches:
        measured, target = measured.cuda(), target.cuda()
        optimizer.zero_grad()
        loss = F.mse_loss(model(measured), target)
        loss.backward()
        optimizer.step()
