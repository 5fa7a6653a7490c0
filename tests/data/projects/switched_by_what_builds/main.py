import torch
from trainer import Evaluator


def main(model, loader, held_out, amp):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    left, given = Evaluator(model), Evaluator(model, use_amp=amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    given.run(held_out)
    left.run(held_out)  # expect: AMP304
