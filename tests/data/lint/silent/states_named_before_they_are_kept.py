import torch


def save(model, optimizer, scaler, queue, path):
    optimizer_state, scaler_state = optimizer.state_dict(), None
    scaler_state = scaler.state_dict()
    queue.put({"model": model.state_dict(), "optimizer": optimizer_state, "scaler": scaler_state}, path)


def export(model, optimizer, path):
    state = optimizer.state_dict()
    torch.save({"model": model.state_dict(), "steps": len(state)}, path)


def train(model, loader, optimizer, queue):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    save(model, optimizer, scaler, queue, "last.pt")
    export(model, optimizer, "model.pt")
