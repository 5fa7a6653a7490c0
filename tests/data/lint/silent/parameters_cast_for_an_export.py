import torch
import torch.nn.functional as F


def save_half(model, path):
    for p in model.parameters():
        p.data = p.data.half()
    torch.save(model.state_dict(), path)


def train(loader, model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    save_half(model, "last.pt")


def train_head(loader, net, head):
    for p in net.parameters():
        p.data = p.data.half()
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.no_grad():
            features = net(x.half()).float()
        F.mse_loss(head(features), y).backward()
        optimizer.step()
