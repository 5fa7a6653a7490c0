import torch

from checkpoint import load_checkpoint, save_checkpoint
from trainer import Trainer


def test_weights_survive(tmp_path):
    model = torch.nn.Linear(4, 2)
    trainer = Trainer(model)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, model, trainer.optimizer, 1)
    fresh = torch.nn.Linear(4, 2)
    assert load_checkpoint(path, fresh, torch.optim.Adam(fresh.parameters())) == 1
    assert torch.equal(fresh.weight, model.weight)
