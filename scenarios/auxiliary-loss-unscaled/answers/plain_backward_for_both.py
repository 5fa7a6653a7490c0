import torch
from torch.nn.functional import mse_loss


def train(task):
    model = task.modules["model"].to("cuda").train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler()

    for measured, depth, slope in task.batches:
        measured, depth, slope = (tensor.to("cuda") for tensor in (measured, depth, slope))
        optimizer.zero_grad()
        with torch.autocast(device_type="cuda"):
            predicted_depth, predicted_slope = model(measured)
            depth_loss = mse_loss(predicted_depth, depth)
            slope_loss = mse_loss(predicted_slope, slope)
        depth_loss.backward(retain_graph=True)
        slope_loss.backward()
        scaler.step(optimizer)
        scaler.update()
