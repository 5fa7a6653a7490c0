import torch

device = "cuda"
net = build_net().to(device)
optim = torch.optim.AdamW(net.parameters(), lr=1e-3)
for images, labels in train_set:
    images = images.to(device, non_blocking=True)
    labels = labels.to(device, non_blocking=True)
    optim.zero_grad(set_to_none=True)
    with torch.autocast(device_type="cuda", dtype=torch.bfloat16):
        logits = net(images)
        loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    optim.step()
