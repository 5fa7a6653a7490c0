import torch


def backward(loss, scaler):
    scaler.scale(loss).backward()


def train(encoder, decoder, loader):
    first = torch.optim.AdamW(encoder.parameters(), 1e-3)
    second = torch.optim.AdamW(decoder.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        first.zero_grad()
        second.zero_grad()
        with torch.autocast("cuda"):
            loss = decoder(encoder(x), y)
        backward(loss, scaler)
        scaler.step(first)
        second.step()  # expect: AMP106
        scaler.update()
