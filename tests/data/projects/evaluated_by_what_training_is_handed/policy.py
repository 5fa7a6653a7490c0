import torch
from quiet import denoise, evaluate_policy, refresh_statistics


def main(model, optimizer, loader, env, noise_scheduler, x):
    scaler = torch.amp.GradScaler("cuda")
    for _ in range(10):
        for batch in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(batch)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        print(evaluate_policy(model, env, 10))
        refresh_statistics(model, loader)
        print(denoise(model, noise_scheduler, x))  # expect: AMP304
