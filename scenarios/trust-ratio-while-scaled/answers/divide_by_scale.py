import torch
import torch.nn.functional as F
from torch.cuda.amp import GradScaler, autocast

TRUST = 0.02


def trust_ratio(parameters):
    weights = torch.sqrt(sum(p.detach().square().sum() for p in parameters))
    gradients = torch.sqrt(sum(p.grad.square().sum() for p in parameters))
    return (weights / (gradients + 1e-9)).item()


def train(task):
    model = task.modules["model"].cuda().train()
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=TRUST)
    scaler = GradScaler()

    for sequence, following in task.batches:
        optimizer.zero_grad()
        with autocast():
            loss = F.mse_loss(model(sequence.cuda()), following.cuda())
        scaler.scale(loss).backward()
        for group in optimizer.param_groups:
            group["lr"] = TRUST * trust_ratio(parameters) * scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
