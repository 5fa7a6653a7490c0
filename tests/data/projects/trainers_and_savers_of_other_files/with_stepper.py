import torch

from engine import Stepper
from savers import save_checkpoint


def main(model, batches):
    optimizer = torch.optim.AdamW(model.parameters())
    stepper = Stepper()
    for x, y in batches:
        stepper.train_step(model, optimizer, x, y)
    save_checkpoint(model, optimizer, "last.pt")  # expect: AMP203
