import torch


class ByDtype:
    def __init__(self, model, dtype):
        self.model, self.dtype = model, dtype
        self.optimizer = torch.optim.Adam(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)
