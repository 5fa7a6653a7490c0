import time

import torch

for shape in ((16, 64, 64), (17, 65, 65)):
    for dtype in (torch.float16, torch.bfloat16):
        a = torch.randn(shape[0], shape[1], dtype=dtype, device="cuda")
        b = torch.randn(shape[1], shape[2], dtype=dtype, device="cuda")
        for _ in range(10):
            torch.matmul(a, b)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(1000):
            torch.matmul(a, b)
        torch.cuda.synchronize()
        print(shape, dtype, time.perf_counter() - start)
