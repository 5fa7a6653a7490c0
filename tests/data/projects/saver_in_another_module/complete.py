import torch

from checkpoints import save_checkpoint, save_everything, save_with


def handed_in(model, loader, path):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
    save_everything(model, optimizer, path, scaler)
    save_with(model, optimizer, path, scaler=scaler.state_dict())
    save_checkpoint(model, optimizer, 9, path)
    torch.save(scaler.state_dict(), "scaler.pt")
