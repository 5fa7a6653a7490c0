import numpy as np
import torch

print(np.float16(1.2e-9))
logits = torch.randn(1000) * 10
grown = torch.exp(logits)
print(grown.max(), torch.finfo(torch.float16).max)
