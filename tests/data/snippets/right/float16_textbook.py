import torch

scaler = torch.amp.GradScaler("cuda")
for images, labels in train_set:
    images = images.to(device, non_blocking=True)
    labels = labels.to(device, non_blocking=True)
    optim.zero_grad(set_to_none=True)
    with torch.autocast(device_type="cuda", dtype=torch.float16):
        logits = net(images)
        loss = torch.nn.functional.cross_entropy(logits, labels)
    scaler.scale(loss).backward()
    scaler.unscale_(optim)
    torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
    scaler.step(optim)
    scaler.update()
