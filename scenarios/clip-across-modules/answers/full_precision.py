from torch import nn

from project.gradients import limit
from project.precision import Precision, make_optimizer


def run_step(model, optimizer, precision, readings, rest):
    optimizer.zero_grad()
    with precision.region(enabled=False):
        loss = nn.functional.mse_loss(model(readings), rest)
    precision.scaler.scale(loss).backward()
    precision.scaler.unscale_(optimizer)
    limit(model.parameters())
    precision.scaler.step(optimizer)
    precision.scaler.update()


def train(task):
    model = task.modules["model"].cuda()
    optimizer = make_optimizer(model)
    precision = Precision("cuda")
    for readings, rest in task.batches:
        run_step(model, optimizer, precision, readings.cuda(), rest.cuda())
