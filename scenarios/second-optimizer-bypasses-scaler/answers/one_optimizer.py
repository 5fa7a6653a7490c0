import torch
import torch.nn.functional as F


def train(task):
    table, tower = task.modules["table"].cuda(), task.modules["tower"].cuda()
    opt_tower = torch.optim.SGD(
        [{"params": tower.parameters()}, {"params": table.parameters(), "lr": 2.0, "momentum": 0.0}],
        lr=0.1,
        momentum=0.9,
    )
    scaler = torch.amp.GradScaler("cuda")

    for user, item, rating in task.batches:
        opt_tower.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            factors = table(user.cuda())
            prediction = tower(torch.cat([factors, item.cuda()], dim=1))
            loss = F.mse_loss(prediction, rating.cuda())
        scaler.scale(loss).backward()
        scaler.step(opt_tower)
        scaler.update()
