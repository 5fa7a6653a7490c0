import torch
from ddpm import Diffusion


def preview(model, diffusion):
    model.eval()
    return diffusion.sample_loop(model, (16, 3, 32, 32))  # expect: AMP304


def train(model, reference, loader, build):
    diffusion = Diffusion().cuda()
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = diffusion.training_loss(model, x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    preview(model, diffusion)
    copy = build()
    copy.load_state_dict(model.state_dict())
    copy_model = copy.eval()
    print(diffusion.sample_loop(reference, (16, 3, 32, 32)))
    print(diffusion.sample_loop(copy_model, (16, 3, 32, 32)))
