import torch
from lib import Trainer
from torch.nn.utils import clip_grad_norm_


class Clipping(Trainer):
    def make_scaler(self):
        return torch.amp.GradScaler("cuda", init_scale=1024.0)

    def before_step(self):
        self.scaler.unscale_(self.optimizer)

    def clip(self):
        clip_grad_norm_(self.model.parameters(), 1.0)
