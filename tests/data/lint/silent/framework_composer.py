"""Composer's Trainer holds the scaler; algorithms and callbacks are told about the state."""

import torch
from composer import Callback, Trainer
from composer.models import ComposerModel


class Classifier(ComposerModel):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, batch):
        return self.net(batch[0])

    def loss(self, outputs, batch):
        return torch.nn.functional.cross_entropy(outputs, batch[1])


class LogScale(Callback):
    def batch_end(self, state, logger):
        if state.scaler is not None:
            logger.log_metrics({"scale": state.scaler.get_scale()})


trainer = Trainer(model=Classifier(net), train_dataloader=loader, max_duration="1ep", precision="amp_fp16")
trainer.fit()
