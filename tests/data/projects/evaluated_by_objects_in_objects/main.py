import torch
from trainer import Trainer
from validator import Validator


def main(build, loader, held_out, criterion):
    model, frozen = build(), build()
    optimizer = torch.optim.AdamW(model.parameters())
    trainer = Trainer(model=model, optimizer=optimizer, criterion=criterion)
    validator = Validator(model=model, device="cuda")
    other = Validator(model=frozen, device="cuda")
    for epoch in range(9):
        trainer.train_epoch(loader)
        validator.validate(held_out)  # expect: AMP304
        validator.report(held_out)
        validator.names(optimizer)
        other.validate(held_out)
