import torch
import torch.nn.functional as F

STRENGTH = 2.0


def penalty(scaler, loss, features):
    (scaled,) = torch.autograd.grad(scaler.scale(loss), features, create_graph=True)
    inverse = 1.0 / scaler.get_scale()
    return (scaled * inverse).square().sum()


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cuda")

    for features, benign in task.batches:
        features = features.cuda().requires_grad_(True)
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16, enabled=False):
            loss = F.binary_cross_entropy_with_logits(model(features), benign.cuda())
        loss = loss + STRENGTH * penalty(scaler, loss, features)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
