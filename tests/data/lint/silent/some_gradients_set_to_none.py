import torch


def keep_adapters_alone(model):
    for name, p in model.named_parameters():
        if "lora" not in name and p.grad is not None:
            p.grad = None


def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        keep_adapters_alone(model)
        scaler.step(optimizer)
        scaler.update()


def train_parts(model, loader, optimizer, frozen):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        for name, p in model.named_parameters():
            if name in frozen:
                p.grad = None
        for p in model.backbone.parameters():
            p.grad = None
        scaler.step(optimizer)
        scaler.update()
