import torch


def train(model, loader, optimizer):
    # scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        loss = model(x, y)
        # scaler.scale(loss).backward()
        # with torch.autocast("cuda", dtype=torch.float16):
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
