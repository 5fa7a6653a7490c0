import torch

from amp import save_checkpoint
from steps import train_loop


def main(model, batches, device, config):
    optimizer = torch.optim.AdamW(model.parameters())

    def run():
        return train_loop(model, batches, optimizer, device, config.epochs)

    run()
    save_checkpoint(config.path, model, optimizer)  # expect: AMP203
