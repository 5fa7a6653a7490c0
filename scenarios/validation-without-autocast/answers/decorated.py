import copy

import torch
import torch.nn.functional as F


@torch.no_grad()
@torch.autocast("cuda", dtype=torch.float16)
def validate(model, recordings, faults):
    model.eval()
    loss = F.cross_entropy(model(recordings), faults)
    model.train()
    return loss.item()


def train(task):
    model = task.modules["model"].to("cuda")
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    scaler = torch.amp.GradScaler("cuda")
    best, kept = float("inf"), None

    for recording, fault, recordings, faults in task.batches:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(recording.to("cuda")), fault.to("cuda"))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

        score = validate(model, recordings.to("cuda"), faults.to("cuda"))
        if score < best:
            best, kept = score, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
