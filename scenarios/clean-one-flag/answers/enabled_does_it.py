import torch
from ampfix_task import task
from torch import nn
from torch.amp import GradScaler

use_amp = True
max_norm = 1.0


@torch.autocast(device_type="cuda", dtype=torch.float16, enabled=use_amp)
def compute_loss(model, criterion, features, benign):
    return criterion(model(features), benign)


def main():
    model = task.modules["model"].to("cuda")
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = GradScaler("cuda", enabled=use_amp)

    for features, benign in task.batches:
        optimizer.zero_grad()
        loss = compute_loss(model, criterion, features.to("cuda"), benign.to("cuda"))
        scaler.scale(loss).backward()
        if max_norm:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()


if __name__ == "__main__":
    main()
