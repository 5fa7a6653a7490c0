import torch
import torch.nn.functional as F

STEPS_PER_RUN = 12


def save_checkpoint(path, model, optimizer, scaler):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}
    torch.save(state, path)


def load_checkpoint(path, model, optimizer, scaler):
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    if "scaler" in checkpoint:
        scaler.load_state_dict(checkpoint["scaler"])


def run(model, batches, path):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scaler = torch.amp.GradScaler("cuda")
    if path.exists():
        load_checkpoint(path, model, optimizer, scaler)
    for sources, field in batches:
        with torch.amp.autocast("cuda", enabled=False):
            loss = F.mse_loss(model(sources.cuda()), field.cuda(), reduction="sum")
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    save_checkpoint(path, model, optimizer, scaler)


def train(task):
    model = task.modules["model"].cuda()
    path = task.workdir / "last.pt"
    pending = []
    for batch in task.batches:
        pending.append(batch)
        if len(pending) == STEPS_PER_RUN:
            run(model, pending, path)
            pending = []
