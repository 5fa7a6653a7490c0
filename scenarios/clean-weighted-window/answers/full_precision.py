import torch
import torch.amp as amp
import torch.nn.functional as F

WINDOW = 4


def divide(parameters, count):
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.div_(count)


def train(task):
    device = torch.device("cuda")
    model = task.modules["model"].to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    scaler = amp.GradScaler(device.type, init_scale=1024.0)
    tokens_seen = 0

    for index, (tokens, following) in enumerate(task.batches):
        tokens, following = tokens.to(device), following.to(device)
        with amp.autocast(device.type, dtype=torch.float16, enabled=False):
            logits = model(tokens).flatten(0, 1)
            loss = F.cross_entropy(logits, following.flatten(), ignore_index=-1, reduction="sum")
        scaler.scale(loss).backward()
        tokens_seen += int((following >= 0).sum())
        if (index + 1) % WINDOW == 0:
            divide(model.parameters(), tokens_seen)
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            tokens_seen = 0
