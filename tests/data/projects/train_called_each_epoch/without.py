import torch

from logic import train


def main(model, loader, device):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    checkpoint = torch.load("last.pth")
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    for _ in range(100):
        train(model=model, loader=loader, optimizer=optimizer, mixed_precision=False, device=device)
        torch.save({"optimizer_state_dict": optimizer.state_dict()}, "last.pth")
