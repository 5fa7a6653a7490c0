import torch
from logic import test, train, validation


def main(model, loader, held_out, amp):
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(9):
        train(model=model, loader=loader, optimizer=optimizer, mixed_precision=amp)
        validation(model=model, loader=held_out)  # expect: AMP304
    validation(model=model, loader=held_out, mixed_precision=amp)
    test(model, held_out)
