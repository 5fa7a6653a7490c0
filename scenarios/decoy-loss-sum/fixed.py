import torch
import torch.nn.functional as F


def reconstruction(decoded, images):
    return F.mse_loss(decoded.float(), images)


def divergence(mean, log_variance):
    mean, log_variance = mean.float(), log_variance.float()
    per_image = -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp(), dim=-1)
    return per_image.mean() / 64


def train(task):
    model = task.modules["model"].to("cuda")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = torch.amp.GradScaler("cuda")

    for images, noise in task.batches:
        images, noise = images.to("cuda"), noise.to("cuda")
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            decoded, mean, log_variance = model(images, noise)
            loss = reconstruction(decoded, images) + 0.05 * divergence(mean, log_variance)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
