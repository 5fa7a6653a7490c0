import torch as th
from torch.cuda import amp  # the alias hides where it comes from


def train(model, loader, optimizer, use_amp):
    scaler = amp.GradScaler(enabled=use_amp)  # expect: AMP601
    for x, y in loader:
        with amp.autocast(use_amp):  # expect: AMP601
            loss = model(x, y)
        loss = scaler.scale(loss)
        loss = loss / 4
        loss.backward()
        th.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # expect: AMP101
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
