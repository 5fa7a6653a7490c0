import torch

logits = torch.randn(32, 10000, dtype=torch.float16) * 10
shares = torch.softmax(logits, dim=-1)
shares = torch.softmax(logits.float(), dim=-1).half()
with torch.autocast("cuda", enabled=False):
    shares = torch.softmax(logits.float(), dim=-1)
