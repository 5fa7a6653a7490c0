import torch
from scripts import HAS_GPU, run


def on_the_gpu(model, batches, optimizer):
    scaler = torch.amp.GradScaler("cuda") if HAS_GPU else None
    run(model, batches, optimizer, scaler)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "gpu.pt")  # expect: AMP203
