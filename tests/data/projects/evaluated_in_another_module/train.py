import torch

from metrics import summary, under_autocast


def train(model, held_out_model, loader, held_out):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(9):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        print(under_autocast(model, held_out), summary(held_out_model, held_out))
        print(epoch, summary(model, held_out))  # expect: AMP304
