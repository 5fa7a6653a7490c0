import torch


def train_batch(model, state, batches):
    for optimizer in state.optimizers:
        optimizer.zero_grad(set_to_none=True)
    for x, y in batches:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y) / len(batches)
        state.scaler.scale(loss).backward()
    for optimizer in tuple(state.optimizers):
        state.scaler.unscale_(optimizer)


def train(model, state, loader):
    state.scaler = torch.amp.GradScaler("cuda")
    for batches in loader:
        train_batch(model, state, batches)
        for optimizer in state.optimizers:
            state.scaler.step(optimizer)
        state.scaler.update()
