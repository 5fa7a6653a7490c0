"""accelerate scales, unscales, accumulates and skips by itself; its scheduler does not advance on skipped steps."""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed


def main(args, model, dataset, evaluation):
    accelerator = Accelerator(gradient_accumulation_steps=args.accumulate, mixed_precision="fp16")
    set_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=1000)
    loader = torch.utils.data.DataLoader(dataset, batch_size=8)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    for epoch in range(3):
        model.train()
        for step, (x, y) in enumerate(loader):
            with accelerator.accumulate(model):
                with accelerator.autocast():
                    loss = torch.nn.functional.cross_entropy(model(x), y)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(model.parameters(), 1.0)
                    accelerator.log({"norm": norm}, step=step)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            for x, y in evaluation:
                accelerator.gather_for_metrics((model(x).argmax(-1), y))
        accelerator.save_state(args.output)
        if not accelerator.optimizer_step_was_skipped:
            accelerator.print("applied")
