"""bfloat16 on rented hardware, of which one function asks for a GPU that need not have it."""

import modal
import torch

app = modal.App("train")


@app.function(gpu="A100")
def train(model, loader, optimizer):
    model.to("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):  # expect: AMP302
            loss = torch.nn.functional.cross_entropy(model(x.cuda()), y.cuda())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()


@app.function(gpu="T4")
def look(model, x):
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        return model(x.cuda())
