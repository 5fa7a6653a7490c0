import torch
from training import Trainer


@torch.no_grad()
def evaluate(net, loader):
    net.eval()
    return [net(x) for x, _ in loader]  # expect: AMP304


@torch.no_grad()
def compare(net, loader):
    net.eval()
    return [net(x) for x, _ in loader]


def main(config, loader, test_loader):
    trainer = Trainer(config)
    trainer.train(loader)
    print(evaluate(trainer.model, test_loader), compare(trainer.frozen_model, test_loader))
