import torch


def unscale_and_clip(scaler, optimizer, model, max_norm):
    scaler.unscale_(optimizer)
    return torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
