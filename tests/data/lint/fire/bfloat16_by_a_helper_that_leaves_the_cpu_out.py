import torch


def precision(device):
    if str(device).startswith("cuda"):
        return torch.autocast("cuda", dtype=torch.bfloat16)  # expect: AMP302
    return torch.autocast("cpu", enabled=False)


def train(model, loader, optimizer):
    device = torch.device("cuda")
    model = model.to(device)
    for x, y in loader:
        with precision(device):
            loss = model(x.to(device), y.to(device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
