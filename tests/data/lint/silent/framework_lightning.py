"""Lightning runs the step: automatic optimization, manual optimization, and hooks behind its own unscaling."""

import lightning.pytorch as pl
import torch
from torch.nn import functional as F


class Classifier(pl.LightningModule):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def training_step(self, batch, index):
        x, y = batch
        with torch.autocast("cuda", enabled=False):
            weights = torch.softmax(self.net.weights.float(), 0)
        loss = F.cross_entropy(self.net(x), y, weight=weights)
        self.log("loss", loss.detach())
        return loss

    def on_before_optimizer_step(self, optimizer):
        # called once the gradients are unscaled
        norms = [p.grad.norm() for p in self.parameters() if p.grad is not None]
        self.log("norm", torch.stack(norms).max())

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val", F.cross_entropy(self.net(x), y))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=100)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class Gan(pl.LightningModule):
    def __init__(self, generator, critic):
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.critic = generator, critic

    def training_step(self, batch, index):
        first, second = self.optimizers()
        self.toggle_optimizer(first)
        loss = -self.critic(self.generator(batch)).mean()
        self.manual_backward(loss)
        self.clip_gradients(first, gradient_clip_val=1.0, gradient_clip_algorithm="norm")
        first.step()
        first.zero_grad()
        self.untoggle_optimizer(first)
        loss = self.critic(self.generator(batch).detach()).mean() - self.critic(batch).mean()
        self.manual_backward(loss)
        second.step()
        second.zero_grad()
        self.lr_schedulers().step()


trainer = pl.Trainer(precision="16-mixed", gradient_clip_val=1.0, accumulate_grad_batches=4)
trainer.fit(Classifier(net), loader)
