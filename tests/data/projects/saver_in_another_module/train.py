import torch

from checkpoints import describe, load_checkpoint, save_checkpoint, save_weights


def train(model, loader, path, resume):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    if resume:
        load_checkpoint(resume, model, optimizer)  # expect: AMP203
    print(describe(optimizer))
    for epoch in range(9):
        for x, y in loader:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()
        save_weights(model, optimizer, "weights.pt")
        save_checkpoint(  # expect: AMP203
            model, optimizer=optimizer, epoch=epoch, path=path
        )
        save_checkpoint(model, optimizer, epoch, "last.pt")  # expect: AMP203


def evaluate(model, path):
    return load_checkpoint(path, model)
