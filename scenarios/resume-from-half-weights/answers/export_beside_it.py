import torch
import torch.nn.functional as F

STEPS_PER_RUN = 3


def run(model, batches, path, device):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if path.exists():
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    for features, target in batches:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = F.mse_loss(model(features.to(device)), target.to(device))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
    weights = {name: value.bfloat16() for name, value in model.state_dict().items()}
    torch.save(weights, path.with_name("export.pt"))
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)


def train(task):
    model = task.modules["model"].to(task.device)
    path = task.workdir / "checkpoint.pt"
    pending = []
    for batch in task.batches:
        pending.append(batch)
        if len(pending) == STEPS_PER_RUN:
            run(model, pending, path, task.device)
            pending = []
