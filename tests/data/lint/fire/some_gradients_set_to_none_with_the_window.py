import torch


def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y) / accum
        scaler.scale(loss).backward()  # expect: AMP123
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            for name, p in model.named_parameters():
                if "head" in name:
                    p.grad = None
