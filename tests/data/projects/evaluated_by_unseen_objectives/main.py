import torch

from validation import covered_loss, kept, sample, validation_loss


def train(diffusion, model, loader, held_out, optimizer, scaler, writer, prompt):
    for epoch in range(9):
        for step, (x, y) in enumerate(loader):
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = diffusion.loss_terms(x, y, model=model)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            if step % 100 == 0:
                print(sample(model, prompt))  # expect: AMP304
        print(validation_loss(diffusion, held_out, model=model))  # expect: AMP304
        covered_loss(diffusion, held_out, model=model)
        kept(writer, held_out, model=model)
