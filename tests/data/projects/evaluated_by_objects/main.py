import torch

from evaluator import Covered, Evaluator, Halves
from trainer import Trainer


def main(model, teacher, loader, validation):
    trainer = Trainer(model, torch.optim.AdamW(model.parameters()), "cuda")
    evaluator = Evaluator(model)
    trainer.train_epoch(loader)
    print(evaluator.evaluate(validation))  # expect: AMP304
    print(Evaluator(teacher).evaluate(validation), Halves(model).evaluate(validation))
    print(Covered(model).evaluate(validation))
    trainer.fit(loader, validation)
