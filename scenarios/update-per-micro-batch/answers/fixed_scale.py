import torch
from torch import autocast
from torch.amp import GradScaler

WINDOW = 4


def train(task):
    model = task.modules["model"].to("cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scaler = GradScaler("cuda", init_scale=2.0**14)
    optimizer.zero_grad()

    for index, (weather, rain) in enumerate(task.batches):
        with autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.mse_loss(model(weather.to("cuda")), rain.to("cuda"))
        scaler.scale(loss / WINDOW).backward()
        if (index + 1) % WINDOW == 0:
            scaler.step(optimizer)
            optimizer.zero_grad()
        scaler.update(2.0**14)
