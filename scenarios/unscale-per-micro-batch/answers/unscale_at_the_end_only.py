import torch
from ampfix_task import task
from torch import amp, nn

ACCUMULATE = 4

net = task.modules["net"].to("cuda")
net.train()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
scaler = amp.GradScaler("cuda")
criterion = nn.CrossEntropyLoss()

for i, (point, label) in enumerate(task.batches):
    with amp.autocast("cuda"):
        loss = criterion(net(point.to("cuda")), label.to("cuda")) / ACCUMULATE
    scaler.scale(loss).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 2.0)
    if (i + 1) % ACCUMULATE == 0:
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
