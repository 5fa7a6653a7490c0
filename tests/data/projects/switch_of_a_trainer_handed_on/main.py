"""Steps that use the scaler of a trainer they are handed, and what the trainer does with the gradients."""

import torch

from lib.trainer import Trainer


def profile(trainer, loader):
    def step(x, y):
        trainer.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = trainer.model(x, y)
        trainer.scaler.scale(loss).backward()
        trainer.prepare()
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()

    for x, y in loader:
        step(x, y)


def profile_badly(trainer, loader):
    for x, y in loader:
        trainer.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = trainer.model(x, y)
        trainer.scaler.scale(loss).backward()
        trainer.clip()  # expect: AMP101
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()


def main(model, loader, device, precision):
    trainer = Trainer(model, torch.optim.AdamW(model.parameters()), device, precision, grad_clip=1.0)
    profile(trainer, loader)
    profile_badly(trainer, loader)
