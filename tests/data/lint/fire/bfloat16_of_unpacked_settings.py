import torch

DEVICE = "cuda"


def train_with_settings(model, loader):
    settings = {"device_type": "cuda", "dtype": torch.bfloat16}
    model = model.to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        with torch.autocast(**settings):  # expect: AMP302
            loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
