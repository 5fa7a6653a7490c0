from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from trainers import ManagedTrainer, Trainer


class Checkpoint:
    def on_epoch_end(self, trainer: Trainer, epoch):
        state = {
            "model": trainer.model.state_dict(),
            "optimizer": trainer.optimizer.state_dict(),  # expect: AMP203
            "epoch": epoch,
        }
        torch.save(state, "last.pt")


class Managed:
    def on_epoch_end(self, trainer: "ManagedTrainer", epoch):
        torch.save({"optimizer": trainer.optimizer.state_dict()}, "last.pt")  # expect: AMP203
