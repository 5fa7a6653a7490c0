import torch

from amp_manager import Manager


def train_epoch(model, loader, optimizer, amp):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        amp.backward(loss)
        amp.step(optimizer)


def main(model, loader, epochs):
    amp, optimizer = Manager(True), torch.optim.AdamW(model.parameters())
    for _ in range(epochs):
        train_epoch(model, loader, optimizer, amp)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")  # expect: AMP203
