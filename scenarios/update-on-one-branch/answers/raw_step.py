import torch
import torch.cuda.amp as amp
import torch.nn.functional as F


def train(task):
    denoiser = task.modules["denoiser"].cuda()
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=3e-3)
    scaler = amp.GradScaler()
    history = []

    for step, (noisy, level, noise) in enumerate(task.batches, start=1):
        with amp.autocast():
            predicted = denoiser(noisy.cuda(), level.cuda())
            loss = F.mse_loss(predicted, noise.cuda())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            history.append((step, loss.item()))
