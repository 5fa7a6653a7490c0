import torch
from ampfix_task import task
from torch import nn

model = task.modules["model"].cuda()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scaler = torch.amp.GradScaler("cuda")
left_out = 0

for features, benign in task.batches:
    optimizer.zero_grad()
    with torch.amp.autocast("cuda", dtype=torch.float16):
        loss = criterion(model(features.cuda()), benign.cuda())
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if scaler._found_inf_per_device(optimizer):
        left_out += 1
    else:
        scaler.step(optimizer)
    scaler.update()

print(f"{left_out} steps left out")
