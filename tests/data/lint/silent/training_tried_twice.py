import torch


def train_model(model, loader, amp=True):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cuda", enabled=amp)
    for x, y in loader:
        with torch.autocast("cuda", enabled=amp):
            loss = model(x, y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for name, value in model.named_parameters():
            print(name, value.grad.norm()) if name == "bias" else None
        scaler.step(optimizer)
        scaler.update()


def main(model, loader):
    try:
        train_model(model, loader)
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        train_model(model, loader)
