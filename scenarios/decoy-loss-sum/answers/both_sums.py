import torch
import torch.nn.functional as F


def reconstruction(decoded, images):
    return 20 * F.mse_loss(decoded.float(), images, reduction="sum")


def divergence(mean, log_variance):
    mean, log_variance = mean.float(), log_variance.float()
    return -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())


def train(task):
    model = task.modules["model"].to("cuda")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = torch.amp.GradScaler("cuda")

    for images, noise in task.batches:
        images, noise = images.to("cuda"), noise.to("cuda")
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            decoded, mean, log_variance = model(images, noise)
            loss = reconstruction(decoded, images) + divergence(mean, log_variance)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
