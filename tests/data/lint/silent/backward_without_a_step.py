import torch


def warm_up_memory(model, batch):
    with torch.autocast("cuda", dtype=torch.float16):
        loss = model(batch)
    loss.backward()
    model.zero_grad()
