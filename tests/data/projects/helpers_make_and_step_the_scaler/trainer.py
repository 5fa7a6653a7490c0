import torch
from checkpoint import Checkpoints
from gradients import Gradients
from precision import make_scaler


class Trainer:
    def __init__(self, config, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = make_scaler(config.amp)
        self.gradients = Gradients(config.clip)
        self.checkpoints = Checkpoints(config.out)

    def finish_step(self, step):
        self.gradients.step(self.model, self.optimizer, self.scaler)
        self.checkpoints.save(model=self.model, optimizer=self.optimizer, step=step)  # expect: AMP203
