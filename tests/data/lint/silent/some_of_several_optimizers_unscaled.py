import torch


def train(model, loader, optimizers, chosen, scaler=None):
    for x, y in loader:
        loss = model(x, y)
        if scaler is not None:
            scaler.scale(loss).backward()
        else:
            loss.backward()
        if scaler is not None:
            for index, optimizer in enumerate(optimizers):
                if chosen is not None and index != chosen:
                    continue
                scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for index, optimizer in enumerate(optimizers):
            if chosen is not None and index != chosen:
                continue
            if scaler is not None:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
