from torch.nn.utils import clip_grad_norm_ as clip


def train_one_epoch(model, loader, optimizer, gs, max_norm=0.0):
    for x, y in loader:
        optimizer.zero_grad()
        gs.scale(model(x, y)).backward()
        if max_norm > 0:
            clip(model.parameters(), max_norm)  # expect: AMP101
        gs.step(optimizer)
        gs.update()  # GradScaler
