import torch
from core.loop import backward
from torch.nn.utils import clip_grad_norm_, clip_grad_value_


async def train(model, loader, optimizer, mode):
    scaler = torch.amp.GradScaler("cuda")
    async for x, y in loader:
        optimizer.zero_grad()
        await backward(scaler, model(x, y))
        match mode:
            case "norm":
                clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
            case "value":
                scaler.unscale_(optimizer)
                clip_grad_value_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
