import torch

def train_epoch(model, loader, optimizer, scheduler, scaler, config):
    use_amp = config.get("mixed_precision", True)
    for x, y in loader:
        if use_amp:
            with torch.autocast("cuda"):
                loss = torch.nn.functional.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            scheduler.step()  # expect: AMP114
        else:
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()

def train(model, loader, config):
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer)
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(10):
        train_epoch(model, loader, optimizer, scheduler, scaler, config)

def main(first, second, loader, config):
    train(first, loader, config)
    train(second, loader, config)
