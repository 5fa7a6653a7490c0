import torch


def train(model, loader, optimizer, criterion, args):
    dtype = torch.float16 if args.fp16 else torch.bfloat16
    scaler = torch.amp.GradScaler("cuda", enabled=args.fp16 or args.bf16)  # expect: AMP204
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype, enabled=args.fp16 or args.bf16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def train_by_name(model, loader, optimizer, criterion, dtype):
    use_amp = dtype == "fp16" or dtype == "bf16"
    half = torch.bfloat16 if dtype == "bf16" else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)  # expect: AMP204
    for x, y in loader:
        with torch.autocast("cuda", dtype=half, enabled=use_amp):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
