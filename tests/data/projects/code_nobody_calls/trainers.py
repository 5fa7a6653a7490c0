import torch
import trainer_left_off
from trainer_switched_on import Trainer as Mixed
from trainer_with_an_heir import Trainer as Plain


def main(net, plain, loader, held_out):
    for trainer in (
        trainer_left_off.Trainer(net, torch.optim.Adam(net.parameters())),
        Mixed(net, torch.optim.Adam(net.parameters()), use_amp=torch.cuda.device_count() > 0),
        Plain(plain, torch.optim.Adam(plain.parameters())),
    ):
        trainer.train(loader)
        print(trainer.validate(held_out))
