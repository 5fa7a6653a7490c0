import torch
from torch.profiler import ProfilerActivity, profile

with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as record:
    for _ in range(10):
        with torch.autocast("cuda"):
            loss = objective(net(images), labels)
        loss.backward()
print(record.key_averages().table(sort_by="cuda_time_total", row_limit=20))
