from evaluators import Evaluator, HalfEvaluator
from nets import Net
from trainer import Trainer


def main(loader, val_loader):
    evaluator = Evaluator(classes=10)
    model = Net().cuda()
    trainer = Trainer(model=model, loader=loader, val_loader=val_loader, evaluator=evaluator)
    trainer.fit(10)  # expect: AMP304


def main_in_half(loader, val_loader):
    model = Net().cuda()
    trainer = Trainer(model, loader, val_loader, evaluator=HalfEvaluator(classes=10))
    trainer.fit(10)


def main_with_report(loader, val_loader):
    model = Net().cuda()
    trainer = Trainer(model, loader, val_loader, report=Evaluator(classes=10))
    trainer.fit(10)
