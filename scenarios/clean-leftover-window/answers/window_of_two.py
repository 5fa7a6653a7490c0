import torch
from ampfix_task import task
from torch import nn

ACCUMULATE = 2

model = task.modules["model"].to("cuda")
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
scaler = torch.amp.GradScaler("cuda")


def finish_window():
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()


seen = 0
for features, benign in task.batches:
    with torch.autocast("cuda", dtype=torch.float16):
        logits = model(features.to("cuda"))
        loss = criterion(logits, benign.to("cuda")) / ACCUMULATE
    scaler.scale(loss).backward()
    seen += 1
    if seen % ACCUMULATE == 0:
        finish_window()

if seen % ACCUMULATE:
    finish_window()
