"""A Trainer of old, that scaled by a scaler it inherited."""

import torch
from transformers import Trainer


class ContrastiveTrainer(Trainer):
    def training_step(self, model, inputs):
        model.train()
        inputs = self._prepare_inputs(inputs)
        with torch.autocast("cuda"):
            loss = self.compute_loss(model, inputs)
        if self.do_grad_scaling:
            self.scaler.scale(loss).backward()
        elif self.deepspeed:
            self.deepspeed.backward(loss)
        else:
            loss.backward()
        return loss.detach()
