"""bfloat16 on hardware that the file itself asks a cloud for: Ampere or later, wherever it runs."""

import modal
import torch

app = modal.App("train")


@app.function(gpu="A100-40GB", timeout=3600)
def train(model, loader, optimizer):
    model.to("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x.cuda()), y.cuda())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()


@app.function(gpu="L4")
def look(model, x):
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        return model(x.cuda())
