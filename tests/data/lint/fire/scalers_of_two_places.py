import torch


def train(model, loader, optimizer, generator_scaler, critic_scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        generator_scaler.scale(loss).backward()
        critic_scaler.unscale_(optimizer)  # expect: AMP122
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        critic_scaler.step(optimizer)
        critic_scaler.update()


def train_by_index(model, loader, optimizer):
    scalers = [torch.amp.GradScaler("cuda"), torch.amp.GradScaler("cuda")]
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scalers[0].scale(loss).backward()
        scalers[1].step(optimizer)  # expect: AMP122
        scalers[1].update()
