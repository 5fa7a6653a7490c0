from checkpoint import save_checkpoint
from trainer import Trainer


def main(model, loader):
    trainer = Trainer(model)
    for epoch in range(10):
        trainer.train_epoch(loader)
        save_checkpoint("last.pt", model, trainer.optimizer, epoch)  # expect: AMP203
