import torch

scaler = torch.amp.GradScaler("cuda", init_scale=1024)
print(f"scale {scaler.get_scale()}")
