import torch


def run_epoch(model, loader, optimizer, scaler, device):
    model.train()
    for angles, energy in loader:
        angles, energy = angles.to(device), energy.to(device)
        optimizer.zero_grad()
        with torch.cuda.amp.autocast(enabled=True):
            loss = torch.nn.functional.mse_loss(model(angles), energy, reduction="sum")
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.step()


def train(task):
    device = torch.device("cuda:0")
    model = task.modules["energy"].to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.5e-4, momentum=0.9)
    scaler = torch.cuda.amp.GradScaler(enabled=True)
    run_epoch(model, task.batches, optimizer, scaler, device)
