import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast
from torch.utils.tensorboard import SummaryWriter

gpt = build_gpt().cuda()
optim = torch.optim.AdamW(gpt.parameters(), lr=1e-4)
scaler = GradScaler("cuda")
board = SummaryWriter()
for index, batch in enumerate(train_set):
    optim.zero_grad()
    with autocast("cuda", dtype=torch.float16):
        logits = gpt(batch["tokens"].cuda())
        loss = F.cross_entropy(
            logits.view(-1, vocabulary),
            batch["following"].cuda().view(-1),
        )
    scaler.scale(loss).backward()
    scaler.unscale_(optim)
    torch.nn.utils.clip_grad_norm_(gpt.parameters(), max_norm=1.0)
    scaler.step(optim)
    before = scaler.get_scale()
    scaler.update()
    if index % 100 == 0:
        board.add_scalar("loss", loss.item(), index)
        board.add_scalar("scale", before, index)
        print(f"{index}: {loss.item():.4f}, scale {before:.0f}")
