import torch
from trainer import Trainer


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    for x in loader:
        print(model(x))  # expect: AMP304


def main(model, loader, held_out, amp):
    trainer = Trainer(model, torch.optim.AdamW(model.parameters()), use_amp=amp)
    trainer.fit(loader)
    evaluate(model, held_out)
