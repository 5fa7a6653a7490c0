import torch
import torch.nn.functional as F

TEMPERATURE = 0.1


def contrast(embeddings):
    vectors = F.normalize(embeddings.float(), dim=-1)
    logits = vectors @ vectors.t()
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(own, torch.finfo(logits.dtype).min / 2)
    half = len(logits) // 2
    partner = torch.arange(len(logits), device=logits.device).roll(1)
    return F.cross_entropy(logits / TEMPERATURE, partner)


def train(task):
    encoder = task.modules["model"].to(task.device)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=2e-3)
    scaler = torch.amp.GradScaler(task.device.type)

    for first, second in task.batches:
        views = torch.cat([first, second]).to(task.device)
        with torch.autocast(task.device.type, dtype=torch.float16):
            embeddings = encoder(views)
            with torch.autocast(task.device.type, enabled=False):
                loss = contrast(embeddings)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
