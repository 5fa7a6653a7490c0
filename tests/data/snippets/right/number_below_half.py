import torch

small = torch.tensor([1e-7], dtype=torch.float16)
print(small)
factor = 65536
lifted = torch.tensor([1e-7 * factor], dtype=torch.float16)
print(lifted / factor)
