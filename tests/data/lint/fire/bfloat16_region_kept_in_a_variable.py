import torch


def main(model, loader, optimizer):
    device = torch.device("cuda")
    model = model.to(device)
    region = torch.autocast(device_type="cuda", dtype=torch.bfloat16)  # expect: AMP302
    for x, y in loader:
        with region:
            loss = model(x.to(device), y.to(device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
