import torch

native = torch.cuda.is_bf16_supported(including_emulation=False)
dtype = torch.bfloat16 if native else torch.float16
scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)


def train(model, loader, optimizer):
    model = model.cuda()
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


@torch.no_grad()
def validate(model, loader):
    with torch.autocast("cuda", dtype=dtype):
        return sum(model(x, y).float() for x, y in loader)
