"""fastai's Learner: MixedPrecision and GradientClip are callbacks."""

import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.callback.training import GradientClip
from fastai.learner import Learner


class LogNorm(Callback):
    order = MixedPrecision.order + 1

    def before_step(self):
        # MixedPrecision, which runs before, has unscaled
        self.norm = sum(p.grad.norm() for p in self.model.parameters() if p.grad is not None)


class Auxiliary(Callback):
    def after_loss(self):
        self.learn.loss_grad += 0.1 * self.pred.float().pow(2).mean()


learner = Learner(loaders, model, cbs=[GradientClip(1.0), LogNorm(), Auxiliary()]).to_fp16()
learner.fit_one_cycle(3, 1e-3)
