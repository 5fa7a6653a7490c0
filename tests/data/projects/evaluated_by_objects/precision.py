import torch


class Precision:
    def forward_context(self):
        return torch.autocast("cuda", dtype=torch.bfloat16)
