"""mmengine's AmpOptimWrapper scales, clips and steps in update_params."""

import torch
from mmengine.optim import AmpOptimWrapper


def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = AmpOptimWrapper(optimizer=optimizer, clip_grad=dict(max_norm=1.0), loss_scale="dynamic")
    for x, y in loader:
        with wrapper.optim_context(model):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        wrapper.update_params(loss)
