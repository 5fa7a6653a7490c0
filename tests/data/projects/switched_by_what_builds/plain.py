import torch
from trainer import Trainer


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    for x in loader:
        print(model(x))


def main(model, loader, held_out):
    trainer = Trainer(model, torch.optim.AdamW(model.parameters()))
    trainer.fit(loader)
    evaluate(model, held_out)
