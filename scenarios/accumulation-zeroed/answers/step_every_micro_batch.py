import torch
from ampfix_task import task

N_ACCUM = 4
device = torch.device("cuda")

model = task.modules["model"].to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scaler = torch.amp.GradScaler("cuda")
step = 0

for features, reading in task.batches:
    optimizer.zero_grad()
    with torch.amp.autocast("cuda", dtype=torch.float16):
        output = model(features.to(device))
        loss = torch.nn.functional.mse_loss(output, reading.to(device)) / N_ACCUM
    scaler.scale(loss).backward()
    step += 1
    scaler.step(optimizer)
    scaler.update()
