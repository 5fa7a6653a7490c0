from contextlib import nullcontext

import torch


def amp_components(config):
    if not config.get("use_amp"):
        return nullcontext(), None
    region = torch.autocast if hasattr(torch, "autocast") else torch.cuda.amp.autocast
    context = region("cuda", dtype=torch.float16)
    return context, torch.amp.GradScaler("cuda")
