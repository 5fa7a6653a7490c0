import torch
import torch.nn.functional as F


def train(task):
    curve = task.modules["curve"].to(task.device)
    optimizer = torch.optim.LBFGS(curve.parameters(), lr=0.5, max_iter=6, line_search_fn="strong_wolfe")

    for place, height in task.batches:
        place, height = place.to(task.device), height.to(task.device)

        def closure():
            optimizer.zero_grad()
            with torch.autocast(task.device.type, enabled=False):
                loss = F.mse_loss(curve(place), height)
            loss.backward()
            return loss

        optimizer.step(closure)
