import torch
from sklearn.preprocessing import StandardScaler


class Normalizer:
    def __init__(self, scale=1024):
        self._scale = scale

    def scale(self, x):
        return x * self._scale


def train(model, loader, optimizer, features, loss_scale=0.1, aux_weight=256):
    feature_scaler = StandardScaler()
    feature_scaler.fit(features)
    normalizer = Normalizer()
    print(normalizer._scale, feature_scaler._reset)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss, aux = model(normalizer.scale(x), y)
        scaler.scale(loss * loss_scale + aux * aux_weight).backward()
        scaler.step(optimizer)
        scaler.update()
