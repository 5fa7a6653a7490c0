import numpy as np
from sklearn.preprocessing import StandardScaler


class GradScaler:
    """Does nothing, for machines without a GPU; autocast is off there."""

    def scale(self, loss):
        return loss

    def step(self, optimizer):
        optimizer.step()

    def update(self):
        pass


def clip_grad_value_(parameters, value):
    return list(parameters)[:value]


def train(model, loader, optimizer, scheduler, amp, clip_grad_norm_):
    scaler = GradScaler()
    features = StandardScaler()
    loss_scale = 0.3
    for x, y in loader:
        x = features.fit_transform(np.asarray(x)) * amp
        scaler.scale(loss_scale * model(x, y)).backward()
        clip_grad_value_(model.parameters(), 1)
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
