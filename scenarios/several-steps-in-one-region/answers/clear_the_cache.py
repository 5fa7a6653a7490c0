import torch
import torch.nn.functional as F


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cuda")

    with torch.autocast("cuda", dtype=torch.float16):
        for positions, torque in task.batches:
            loss = F.mse_loss(model(positions.cuda()), torque.cuda())
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            torch.clear_autocast_cache()
