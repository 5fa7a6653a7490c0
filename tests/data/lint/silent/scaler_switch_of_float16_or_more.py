import torch


def train(model, loader, optimizer, criterion, args):
    dtype = torch.bfloat16 if args.bf16 else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=args.fp16 or args.half)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype, enabled=args.fp16 or args.half or args.bf16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def train_but_for_bfloat16(model, loader, optimizer, criterion, args):
    dtype = torch.bfloat16 if args.bf16 else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=args.fp16 or not args.bf16)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def train_both_at_once(model, loader, optimizer, criterion, args):
    dtype = torch.bfloat16 if args.bf16 else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=args.fp16 and not args.bf16)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
