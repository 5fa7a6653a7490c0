import torch

x = torch.randn(1024, 1024, dtype=torch.float16) * 100
log_y = x
y = torch.exp(torch.clamp(x, max=10))
