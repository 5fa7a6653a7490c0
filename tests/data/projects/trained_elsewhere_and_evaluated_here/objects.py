import torch
from engine import Trainer


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    return sum(model(x).sum().item() for x in loader)  # expect: AMP304


@torch.no_grad()
def evaluate_teacher(model, loader):
    model.eval()
    return sum(model(x).sum().item() for x in loader)


def main(model, teacher, loader, held_out):
    trainer = Trainer(model, torch.optim.AdamW(model.parameters()))
    for _ in range(9):
        trainer.run(loader)
    print(evaluate(trainer.net, held_out), evaluate_teacher(teacher, held_out))
