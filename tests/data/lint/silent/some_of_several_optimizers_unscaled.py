import torch


def train(model, loader, optimizers, schedulers, optim_idx, report, scaler=None):
    report(optim_idx, optimizers)
    for x, y in loader:
        loss = model(x, y)
        if scaler is not None:
            scaler.scale(loss).backward()
        else:
            loss.backward()
        if scaler is not None:
            for index, optimizer in enumerate(optimizers):
                if optim_idx is not None and index != optim_idx:
                    continue
                scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for index, (optimizer, scheduler) in enumerate(zip(optimizers, schedulers)):
            if optim_idx is not None and index != optim_idx:
                continue
            if scaler is not None:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
