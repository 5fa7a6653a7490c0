import torch
from torch.cuda.amp import GradScaler, autocast

net = build_transformer().cuda()
optim = torch.optim.Adam(net.parameters(), lr=1e-4)
scaler = GradScaler()
for images, labels in train_set:
    images, labels = images.cuda(), labels.cuda()
    optim.zero_grad()
    with autocast():
        logits = net(images)
        loss = objective(logits, labels)
    scaler.scale(loss).backward()
    # keep it stable
    torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
    scaler.step(optim)
    scaler.update()
