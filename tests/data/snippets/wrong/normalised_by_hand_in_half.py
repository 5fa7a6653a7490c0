import torch

x = torch.randn(32, 512, dtype=torch.float16) * 1e-4
spread = x.std(dim=-1, keepdim=True)
normalised = x / (spread + 1e-8)
