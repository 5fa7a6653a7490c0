import torch
from torch import nn


def main(args, model, critic, optimizer, optimizer_c, batches):
    dtype = torch.float16 if args.precision == "fp16" else torch.bfloat16
    scaler = torch.amp.GradScaler("cuda", enabled=args.precision == "fp16")

    def micro(x):
        with torch.autocast("cuda", dtype=dtype):
            out = model(x)
            loss = out.mean()
        scaler.scale(loss).backward()
        with torch.autocast("cuda", dtype=dtype):
            loss_c = critic(out.detach()).mean()
        scaler.scale(loss_c).backward()

    def train_step(batch):
        optimizer.zero_grad()
        optimizer_c.zero_grad()
        for i in range(0, 8, 2):
            micro(batch[i : i + 2])
        scaler.unscale_(optimizer)
        scaler.unscale_(optimizer_c)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        nn.utils.clip_grad_norm_(critic.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.step(optimizer_c)
        scaler.update()

    for batch in batches:
        train_step(batch)
