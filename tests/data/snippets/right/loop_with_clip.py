import torch
from torch.amp import GradScaler, autocast

net = build_net().cuda()
optim = torch.optim.Adam(net.parameters(), lr=1e-4)
scaler = GradScaler("cuda")

for images, labels in train_set:
    images, labels = images.cuda(), labels.cuda()
    optim.zero_grad()
    with autocast("cuda"):
        logits = net(images)
        loss = objective(logits, labels)
    scaler.scale(loss).backward()
    scaler.unscale_(optim)
    torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
    scaler.step(optim)
    scaler.update()
