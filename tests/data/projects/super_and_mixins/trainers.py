import torch
from base import Base
from mixin import Unscaling


class Norm(Base):
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")

    def clip(self):
        super().clip()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # expect: AMP101


class Right(Unscaling, Base):
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")

    def clip(self):
        super().clip()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
