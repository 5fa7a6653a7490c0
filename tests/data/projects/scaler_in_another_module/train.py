import engine
from engine import SCALER
from torch.nn.utils import clip_grad_norm_


def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        SCALER.scale(model(x, y)).backward()
        clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        engine.SCALER.step(optimizer)
        engine.SCALER.update()
