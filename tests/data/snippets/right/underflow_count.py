import torch

slopes = torch.tensor([1e-4, 1e-6, 1e-8], dtype=torch.float32)
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    narrow = slopes.to(dtype)
    print(dtype, (narrow == 0).sum().item(), narrow.tolist())
