import torch
from ampfix_task import task
from torch import amp, nn

model = task.modules["model"].to(task.device)
optimizer = torch.optim.SGD(model.parameters(), lr=6.0, momentum=0.8)
criterion = nn.CrossEntropyLoss()
scaler = amp.GradScaler(task.device.type)

for now, after in task.batches:
    optimizer.zero_grad(set_to_none=True)
    with amp.autocast(device_type=task.device.type, dtype=torch.float16):
        logits = model(now.to(task.device))
        loss = criterion(logits.flatten(0, 1), after.to(task.device).flatten())
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_value_(model.parameters(), 0.1)
    scaler.step(optimizer)
    scaler.update()
