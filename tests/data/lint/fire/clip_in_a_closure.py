import torch


def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cuda")

    def finish():
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()

    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        finish()
