from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from trainers import ManagedTrainer, PlainTrainer, Trainer


class Checkpoint:
    def on_epoch_end(self, trainer: Trainer, epoch):
        state = {"optimizer": trainer.optimizer.state_dict(), "scaler": trainer.scaler.state_dict(), "epoch": epoch}
        torch.save(state, "last.pt")


class Managed:
    def on_epoch_end(self, trainer: ManagedTrainer, epoch):
        state = {"optimizer": trainer.optimizer.state_dict()}
        state["amp"] = trainer.amp.state_dict()
        torch.save(state, "last.pt")


class Plain:
    def on_epoch_end(self, trainer: PlainTrainer, epoch):
        torch.save({"optimizer": trainer.optimizer.state_dict()}, "last.pt")


class Untold:
    def on_epoch_end(self, trainer, epoch):
        torch.save({"optimizer": trainer.optimizer.state_dict()}, "last.pt")
