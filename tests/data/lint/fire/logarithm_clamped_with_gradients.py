import torch


def train(model, loader, optimizer, scaler, device):
    for ids, labels in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            logits = model(ids.to(device))
        probs = torch.softmax(logits, dim=-1)
        loss = -(probs * probs.log().clamp(min=-20)).sum(dim=-1).mean()  # expect: AMP402
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


@torch.no_grad()
def shown(model, loader, device):
    for ids, labels in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            probs = torch.softmax(model(ids.to(device)), dim=-1)
            print((probs * probs.log().clamp(max=0)).sum())  # expect: AMP402
