import torch
from torch import nn

from project.scaling import FeatureScaler


def train(task):
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SystemExit("this model is trained in bfloat16, which needs a newer device")
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = FeatureScaler(amp=2.0)
    loss_scale = 0.5

    for images, labels in task.batches:
        optimizer.zero_grad()
        inputs = scaler.scale(images.cuda())
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = model(inputs)
            loss = nn.functional.cross_entropy(logits, labels.cuda()) + loss_scale * 1e-3 * logits.square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
