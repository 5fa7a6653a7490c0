import torch
import torch.nn as nn
from torch.optim.lr_scheduler import CosineAnnealingLR


class Agent:
    def __init__(self, encoder, net):
        self.encoder, self.net = encoder, net
        self.opt_encoder = torch.optim.Adam(encoder.parameters())
        self.opt_net = torch.optim.Adam(net.parameters())
        self.scheduler_encoder = CosineAnnealingLR(self.opt_encoder, T_max=100)
        self.scheduler_net = CosineAnnealingLR(self.opt_net, T_max=100)
        self.scaler = torch.amp.GradScaler("cuda")

    def update(self, batches, last):
        for _ in range(4):
            for x, y in batches:
                with torch.autocast("cuda", dtype=torch.float16):
                    loss = nn.functional.mse_loss(self.net(x), y)
                self.opt_net.zero_grad(set_to_none=True)
                self.scaler.scale(loss).backward()
                self.scaler.step(self.opt_net)
                self.scaler.update()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = self.net(self.encoder(last)).mean()
        self.opt_encoder.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.opt_encoder)
        self.scaler.update()
        self.scheduler_encoder.step()  # expect: AMP114
        self.scheduler_net.step()
